/**
 * libfuse's example/notify_store_retrieve.c: as notify_inval_inode.ts, but the new contents are put into the kernel's
 * cache, and read back from there to see that they arrived.
 */
import { ClockFile, FILE_NODE, NO_TIMEOUT, OPTIONS, serveClock } from "./current_time.ts";
import { parseCommandLine } from "./command_line.ts";

const file = new ClockFile();
file.showTime();
const timeouts = { entryTimeout: NO_TIMEOUT, attributesTimeout: NO_TIMEOUT };
await serveClock(file, parseCommandLine(Deno.args, OPTIONS), timeouts, async (notifier) => {
  file.showTime();
  const stored = new TextDecoder().decode(file.content);
  if (await notifier?.store(FILE_NODE, 0, file.content) !== "delivered") return;
  const retrieved = new TextDecoder().decode(await notifier!.retrieve(FILE_NODE, 0, 128));
  // Nothing comes back when the mount ends, or memory is short, in between.
  if (retrieved !== "" && retrieved !== stored) throw new Error(`Stored "${stored}", retrieved "${retrieved}"`);
});
