/** Placement "handler", the loop's side: each request goes on as a copy of its bytes. */
import type { RequestView } from "../protocol/request.ts";

/** Returns what serves a request by posting its bytes to `port`; the isolate behind it answers the kernel itself. */
export function forwardTo(port: MessagePort): (request: RequestView) => void {
  return (request) => {
    const bytes = request.payload.slice(0, request.length);
    port.postMessage(bytes, [bytes.buffer as ArrayBuffer]);
  };
}
