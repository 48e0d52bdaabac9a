/**
 * When a server is gone, so that another may take its place. A thread that takes a notification to the kernel waits there
 * for a directory or a page that is locked for as long as a program's request is not answered (inode_lock in
 * fuse_reverse_inval_entry, folio_lock in invalidate_inode_pages2_range), and no signal reaches it. A server that was
 * killed then ends only when another has answered that request: waiting for its end would be waiting for ever.
 */
import { NOTIFY_THREAD } from "../messages.ts";
import type { ServerProcess } from "./server_process.ts";

/** How often it is looked at whether something is left of a server, in milliseconds: that wakes an idle keeper. */
const LOOK_MILLISECONDS = 2000;

/** Resolves to how the server ended, in words; also when nothing is left of it but threads that serve no request. */
export async function departure(server: ServerProcess): Promise<string> {
  const left = Promise.withResolvers<string>();
  const timer = setInterval(() => {
    if (isLeftToNotifiers(server.pid)) {
      left.resolve("its notifications wait in the kernel for what it had not answered");
    }
  }, LOOK_MILLISECONDS);
  try {
    return await Promise.race([server.ended, left.promise]);
  } finally {
    clearInterval(timer);
  }
}

/** Whether the process has ended but for such threads: its first thread is a zombie then, and its loops are no more. */
function isLeftToNotifiers(pid: number): boolean {
  try {
    // The state comes after the name, which may have anything in it (proc_pid_stat(5)).
    if (!/^.*\) Z /s.test(Deno.readTextFileSync(`/proc/${pid}/stat`))) return false;
    const threads = [...Deno.readDirSync(`/proc/${pid}/task`)].filter(({ name }) => name !== String(pid));
    return threads.length > 0 && threads.every(({ name }) => nameOf(pid, name) === NOTIFY_THREAD);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function nameOf(pid: number, thread: string): string {
  return Deno.readTextFileSync(`/proc/${pid}/task/${thread}/comm`).trim();
}
