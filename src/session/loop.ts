/**
 * The loop: reads requests from the device until the mount ends, and serves each in its own thread. It blocks in the
 * kernel between requests, so that no event loop runs here.
 */
import type { EndReason } from "../messages.ts";
import { DevicePoll } from "../transport/device_poll.ts";
import { DeviceReader, SPINS } from "../transport/device_reader.ts";
import { DeviceReply } from "../transport/device_reply.ts";
import { LocalServer, type LocalServerOptions } from "./local_server.ts";
import { SpinToken } from "./spin_token.ts";

/** Serves over the device until the end, and says why it ended. */
export function serveDevice(options: Omit<LocalServerOptions, "reply">): EndReason {
  const { libc, settings } = options;
  return runLoop({
    reader: new DeviceReader({ libc, ...settings }),
    poll: new DevicePoll(libc, settings.poll),
    spin: new SpinToken(settings.spinning),
    server: new LocalServer({ ...options, reply: new DeviceReply(libc, settings.maxWrite) }),
  });
}

interface LoopParts {
  readonly reader: DeviceReader;
  readonly poll: DevicePoll;
  readonly spin: SpinToken;
  readonly server: LocalServer;
}

function runLoop({ reader, poll, spin, server }: LoopParts): EndReason {
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
