/**
 * libfuse's example/notify_inval_entry.c: an empty file whose name is the current time. The old name is gone at once
 * although the kernel may believe it for --timeout seconds; with --no-notify it can be seen for that long.
 */
import { type Notifier, ROOT_NODE } from "../mod.ts";
import { clock, ClockFile, OPTIONS, sayWhenUnsupported, serveClock } from "./current_time.ts";
import { exit, numberOf, parseCommandLine } from "./command_line.ts";

const line = parseCommandLine(Deno.args, {
  ...OPTIONS,
  "timeout=<secs>": "timeout for kernel caches",
  "only-expire": "expire entries instead of invalidating them",
  "inc-epoch": "increment the epoch, which makes all names stale",
});
if (line.own.has("only-expire") && line.own.has("inc-epoch")) {
  exit(1, "--only-expire and --inc-epoch exclude each other");
}
const timeout = numberOf(line, "timeout", 5);
const file = new ClockFile();
file.mode = 0;

function rename(): void {
  const [hours, minutes, seconds] = clock();
  file.name = `Time_is_${hours}h_${minutes}m_${seconds}s`;
}

rename();
await serveClock(
  file,
  line,
  { entryTimeout: timeout, attributesTimeout: timeout },
  (notifier: Notifier | undefined) => {
    const old = file.name;
    rename();
    if (line.own.has("only-expire")) notifier?.expireEntry(ROOT_NODE, old);
    else if (line.own.has("inc-epoch")) sayWhenUnsupported(notifier?.incrementEpoch(), "increment_epoch");
    else notifier?.invalidateEntry(ROOT_NODE, old);
  },
);
