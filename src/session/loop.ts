/**
 * The loop: reads requests from the device until the mount ends, and serves each in its own thread. It blocks in the
 * kernel between requests, so that no event loop runs here, unless the loop is called away (`doorbell.ts`).
 */
import type { EndReason } from "../messages.ts";
import { DevicePoll } from "../transport/device_poll.ts";
import { DeviceReader, SPINS } from "../transport/device_reader.ts";
import { DeviceReply } from "../transport/device_reply.ts";
import { type Call, takeCall } from "./doorbell.ts";
import { LocalServer, type LocalServerOptions } from "./local_server.ts";
import { SpinToken } from "./spin_token.ts";

/** What serves in one thread. */
export interface Loop extends Disposable {
  /** Serves until the end and says why it ended, or until the loop is called: then it can be run again. */
  run(): EndReason | "called";
}

export type LoopOptions = Omit<LocalServerOptions, "reply"> & {
  /** Whether the loop is called. */
  readonly call: Call;
};

/** A loop over the device. */
export function makeDeviceLoop(options: LoopOptions): Loop {
  const { libc, settings, call } = options;
  const parts: LoopParts = {
    call,
    reader: new DeviceReader({ libc, ...settings }),
    poll: new DevicePoll(libc, settings.poll),
    spin: new SpinToken(settings.spinning),
    server: new LocalServer({ ...options, reply: new DeviceReply(libc, settings.maxWrite) }),
  };
  return { run: () => runLoop(parts), [Symbol.dispose]: () => {} };
}

interface LoopParts {
  readonly call: Call;
  readonly reader: DeviceReader;
  readonly poll: DevicePoll;
  readonly spin: SpinToken;
  readonly server: LocalServer;
}

function runLoop({ call, reader, poll, spin, server }: LoopParts): EndReason | "called" {
  const { waiting } = server;
  for (let empty = 0;;) {
    if (takeCall(call)) {
      spin.give();
      return "called";
    }
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
