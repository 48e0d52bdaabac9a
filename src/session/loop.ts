/**
 * The loop: reads requests from the device until the mount ends, and serves each in its own thread. It blocks in the
 * kernel between requests, so that no event loop runs here.
 */
import type { EndReason } from "../messages.ts";
import type { RequestView } from "../protocol/request.ts";
import { type DevicePoll, type DeviceReader, SPINS } from "../transport/device_reader.ts";

/** Serves until the end and says why it ended. A request lies in the reader's buffer until `serve` returns. */
export function runLoop(reader: DeviceReader, poll: DevicePoll, serve: (request: RequestView) => void): EndReason {
  for (let empty = 0;;) {
    const found = reader.read();
    if (found === "request") {
      empty = 0;
      serve(reader.request);
    } else if (found !== "empty") {
      return found;
    } else if (++empty > SPINS) {
      empty = 0;
      if (poll.wait()) return "stopped";
    }
  }
}
