/** Placement "loop": the filesystem answers in the loop's own thread, at once. */
import type { Libc } from "../../ffi/library.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import type { ServeSettings } from "../messages.ts";
import { HeaderContext } from "../protocol/context.ts";
import { type Answer, Dispatcher, type Log } from "../protocol/dispatch.ts";
import { ReplyBody } from "../protocol/reply.ts";
import { traceAnswers } from "../protocol/trace.ts";
import type { RequestView } from "../protocol/request.ts";
import { DeviceReply } from "../transport/device_reply.ts";

/** Returns what serves a request by calling `filesystem`, whose methods must not return promises. */
export function serveLocally(
  filesystem: FileSystem,
  settings: ServeSettings,
  libc: Libc,
  log: Log,
): (request: RequestView) => void {
  const reply = new DeviceReply(libc, settings.maxWrite);
  const never = new AbortController().signal;
  const context = new HeaderContext({ allocate: (size) => reply.body.subarray(0, size), signal: () => never });
  const answer: Answer = (request, length) => reply.send(request, length);
  const dispatcher = new Dispatcher({
    filesystem,
    body: new ReplyBody(reply.body, settings.defaults),
    answer: settings.debug ? traceAnswers(answer, (line) => log(line, undefined)) : answer,
    log,
    cacheNegative: settings.defaults.negativeTimeout > 0,
    extendedSetxattr: settings.features.has("setxattr-ext"),
    mustAnswerAtOnce: true,
  });
  return (request) => {
    // Nothing runs here for long enough to be interrupted; the kernel waits for the answer that is on its way.
    if (request.opcode === OPCODE.INTERRUPT) return;
    void dispatcher.dispatch(request, context);
  };
}
