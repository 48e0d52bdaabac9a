/**
 * The loop: reads requests from the device until the mount ends, and serves each in its own thread. It blocks in the
 * kernel between requests, so that no event loop runs here.
 */
import type { EndReason } from "../messages.ts";
import type { DevicePoll } from "../transport/device_poll.ts";
import { type DeviceReader, SPINS } from "../transport/device_reader.ts";
import type { LocalServer } from "./local_server.ts";
import type { SpinToken } from "./spin_token.ts";

/** What a loop is made of. */
export interface LoopParts {
  readonly reader: DeviceReader;
  readonly poll: DevicePoll;
  readonly spin: SpinToken;
  readonly server: LocalServer;
}

/** Serves until the end and says why it ended. */
export function runLoop({ reader, poll, spin, server }: LoopParts): EndReason {
  const { waiting } = server;
  for (let empty = 0;;) {
    if (waiting.size > 0) waiting.serveDue((request) => server.serveAgain(request));
    const found = reader.read();
    if (found === "request") {
      empty = 0;
      spin.give();
      server.serve(reader.request);
    } else if (found !== "empty") {
      return found;
    } else if (!spin.take() || ++empty > SPINS) {
      empty = 0;
      spin.give();
      if (poll.wait(waiting.untilNext())) return "stopped";
    }
  }
}
