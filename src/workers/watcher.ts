/** Entry point of a watcher: polls a device whenever it is asked to, and says when something is there. */
import { openLibc } from "../../ffi/library.ts";
import { callAll } from "../handler/rally.ts";
import { ENDED, IDLE, WATCHING } from "../handler/watcher.ts";
import type { Watched, WatcherStart } from "../messages.ts";
import { DevicePoll } from "../transport/device_poll.ts";

declare const self: {
  onmessage: (event: MessageEvent<WatcherStart>) => void;
  postMessage(message: Watched): void;
  close(): void;
};

/** Milliseconds that a request may wait for an isolate that was told and does not come round. */
const PATIENCE = 4;

/** Blocks this thread from here on: in `Atomics.wait` while the isolate is awake, in poll while it sleeps. */
self.onmessage = ({ data: { poll: descriptor, flag, rally } }) => {
  const libc = openLibc();
  const poll = new DevicePoll(libc, descriptor);
  const isLate = () => Atomics.wait(flag, 0, IDLE, PATIENCE) === "timed-out" && poll.hasRequest();
  for (let stopped = false; !stopped;) {
    Atomics.wait(flag, 0, IDLE);
    if (Atomics.load(flag, 0) === ENDED) break;
    stopped = poll.wait(-1);
    // ENDED may have been set meanwhile, and is to stay.
    Atomics.compareExchange(flag, 0, WATCHING, IDLE);
    self.postMessage(stopped);
    // Once is enough: until the isolate comes round the kernel wakes others, as this thread does not wait for the device.
    if (rally !== undefined && isLate()) callAll(libc, rally);
  }
  self.close();
};
