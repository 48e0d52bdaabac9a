/** The kernel's control files of FUSE connections: who waits, and abort. */
import { assertEquals } from "../deps.ts";
import { findMount } from "../../src/connection/mount_table.ts";
import { run, temporaryFolder } from "./cli_process.ts";

/** Where the control filesystem is mounted on most machines; it is the same filesystem wherever it is mounted. */
const USUAL = "/sys/fs/fuse/connections";

/** Why there are no control files for a test here; undefined when there are, or root can mount them. */
export const NO_CONTROL: string | undefined = Deno.uid() === 0 || isMounted()
  ? undefined
  : `nothing is mounted on ${USUAL}, and only root may mount it`;

function isMounted(): boolean {
  return Deno.readTextFileSync("/proc/self/mounts").includes(` ${USUAL} fusectl `);
}

/** One connection's control files (Documentation/filesystems/fuse/fuse.rst, "Control filesystem"). */
export interface ConnectionControl extends AsyncDisposable {
  /** How many requests the kernel has sent or will send, and nothing has answered. */
  waiting(): Promise<number>;
  abort(): Promise<void>;
}

/** Of the connection that is mounted on `mountpoint`. Holds a mount of its own where the machine has none. */
export async function openConnectionControl(mountpoint: string): Promise<ConnectionControl> {
  const { device } = (await findMount(mountpoint))!;
  const folder = isMounted() ? undefined : await temporaryFolder();
  if (folder !== undefined) {
    assertEquals(await run("mount", "-t", "fusectl", "none", folder.path), 0, "mounting fusectl");
  }
  const directory = `${folder?.path ?? USUAL}/${device.split(":")[1]}`;
  return {
    waiting: async () => Number(await Deno.readTextFile(`${directory}/waiting`)),
    abort: () => Deno.writeTextFile(`${directory}/abort`, "1"),
    async [Symbol.asyncDispose]() {
      if (folder === undefined) return;
      await run("umount", folder.path);
      await folder[Symbol.asyncDispose]();
    },
  };
}
