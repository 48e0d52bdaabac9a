/** In whose name a union does what nobody asked for. */
import type { RequestContext } from "../../fs/filesystem.ts";

/** What the union does for itself it does as who serves it, whoever asked. */
export function asServer(context: RequestContext): RequestContext {
  return {
    uid: 0,
    gid: 0,
    pid: context.pid,
    umask: 0,
    unique: context.unique,
    resent: context.resent,
    get signal() {
      return context.signal;
    },
    allocate: (size) => new Uint8Array(size),
  };
}
