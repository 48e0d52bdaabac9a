/**
 * libfuse's example/notify_inval_inode.c: a file with the current time, cached without end, and fresh all the same because
 * the kernel is told of each change. With --no-notify it stands still.
 */
import { ClockFile, FILE_NODE, NO_TIMEOUT, OPTIONS, serveClock } from "./current_time.ts";
import { parseCommandLine } from "./command_line.ts";

const file = new ClockFile();
file.showTime();
const timeouts = { entryTimeout: NO_TIMEOUT, attributesTimeout: NO_TIMEOUT };
await serveClock(file, parseCommandLine(Deno.args, OPTIONS), timeouts, (notifier) => {
  file.showTime();
  return notifier?.invalidateNode(FILE_NODE);
});
