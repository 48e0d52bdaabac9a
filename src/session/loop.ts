/**
 * The loop: reads requests from the device until the mount ends, and serves each in its own thread. It blocks in the
 * kernel between requests, so that no event loop runs here, unless the loop is called away (`doorbell.ts`).
 */
import type { EndReason } from "../messages.ts";
import type { RequestView } from "../protocol/request.ts";
import { DevicePoll } from "../transport/device_poll.ts";
import { DeviceReader } from "../transport/device_reader.ts";
import { DeviceReply } from "../transport/device_reply.ts";
import { isStopped, type Stopped } from "../transport/stop.ts";
import { Attendant } from "./attendance.ts";
import { type Call, takeCall } from "./doorbell.ts";
import { LocalServer, type LocalServerOptions } from "./local_server.ts";

/** What serves in one thread. */
export interface Loop extends Disposable {
  /** Serves until the end and says why it ended, or until the loop is called: then it can be run again. */
  run(): EndReason | "called";
}

export type LoopOptions = Omit<LocalServerOptions, "reply"> & {
  /** How often the loop is called. */
  readonly call: Call;
};

/** A loop over the device. */
export function makeDeviceLoop(options: LoopOptions): Loop {
  const { libc, settings, call, journal } = options;
  const parts: LoopParts = {
    stopped: settings.stopped,
    call,
    reader: new DeviceReader({ libc, ...settings, present: journal !== undefined }),
    attendant: new Attendant(libc, new DevicePoll(libc, settings.poll), settings.attendance),
    server: new LocalServer({ ...options, reply: new DeviceReply(libc, settings.maxWrite) }),
  };
  return { run: () => runLoop(parts), [Symbol.dispose]: () => {} };
}

interface LoopParts {
  readonly stopped: Stopped;
  readonly call: Call;
  readonly reader: DeviceReader;
  readonly attendant: Attendant;
  readonly server: LocalServer;
}

function runLoop({ stopped, call, reader, attendant, server }: LoopParts): EndReason | "called" {
  const { waiting } = server;
  // A request that is tried again holds the loop up as one that was read does: the others are to notice.
  const serveAgain = (request: RequestView) => {
    attendant.begin(0);
    server.serveAgain(request);
  };
  for (;;) {
    if (takeCall(call)) {
      attendant.callAll();
      return "called";
    }
    waiting.serveDue(serveAgain);
    const found = reader.read();
    if (found === "request") {
      attendant.begin(reader.request.pid);
      server.serve(reader.request);
      if (isStopped(stopped)) return "stopped";
    } else if (found !== "empty") {
      // Others that rest do not see the end by themselves.
      attendant.callAll();
      return found;
    } else if (attendant.wait(waiting.rest())) {
      return "stopped";
    }
  }
}
