/**
 * libfuse's example/notify_prune.c: a file with the time at which the kernel last let go of it, cached without end. The
 * kernel is asked to let go of it now and then, and does when nobody uses it (Linux 6.18). With --no-notify it stands
 * still.
 */
import { ClockFile, FILE_NODE, NO_TIMEOUT, OPTIONS, sayWhenUnsupported, serveClock } from "./current_time.ts";
import { parseCommandLine } from "./command_line.ts";

const file = new ClockFile();
file.showTime();
file.forgotten = () => file.showTime();
const timeouts = { entryTimeout: NO_TIMEOUT, attributesTimeout: NO_TIMEOUT };
await serveClock(file, parseCommandLine(Deno.args, OPTIONS), timeouts, (notifier) => {
  sayWhenUnsupported(notifier?.prune([FILE_NODE]), "prune");
});
