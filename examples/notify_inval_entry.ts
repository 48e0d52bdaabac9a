/**
 * libfuse's example/notify_inval_entry.c: an empty file whose name is the current time. The old name is gone at once
 * although the kernel may believe it for --timeout seconds; with --no-notify it can be seen for that long.
 */
import { type Notifier, ROOT_NODE } from "../mod.ts";
import { clock, ClockFile, OPTIONS, serveClock } from "./current_time.ts";
import { parseCommandLine } from "./command_line.ts";

const line = parseCommandLine(Deno.args, {
  ...OPTIONS,
  "timeout=<secs>": "timeout for kernel caches",
  "only-expire": "expire entries instead of invalidating them",
});
const timeout = Number.parseFloat(line.own.get("timeout") ?? "5");
const file = new ClockFile();

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
    return line.own.has("only-expire")
      ? notifier?.expireEntry(ROOT_NODE, old)
      : notifier?.invalidateEntry(ROOT_NODE, old);
  },
);
