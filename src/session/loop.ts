/**
 * The loop: reads requests from the device until the mount ends, and serves each in its own thread. It blocks in the
 * kernel between requests, so that no event loop runs here.
 */
import type { EndReason } from "../messages.ts";
import { type DevicePoll, type DeviceReader, SPINS } from "../transport/device_reader.ts";
import type { LocalServer } from "./local_server.ts";

/** Serves until the end and says why it ended. */
export function runLoop(reader: DeviceReader, poll: DevicePoll, server: LocalServer): EndReason {
  const { waiting } = server;
  for (let empty = 0;;) {
    if (waiting.size > 0) waiting.serveDue((request) => server.serve(request));
    const found = reader.read();
    if (found === "request") {
      empty = 0;
      server.serve(reader.request);
    } else if (found !== "empty") {
      return found;
    } else if (++empty > SPINS) {
      empty = 0;
      if (poll.wait(waiting.untilNext())) return "stopped";
    }
  }
}
