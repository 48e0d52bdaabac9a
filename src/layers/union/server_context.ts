/** In whose name a union does what nobody asked for. */
import type { RequestContext } from "../../fs/filesystem.ts";

/** Nobody's request. */
export const SERVER: RequestContext = {
  ...{ uid: 0, gid: 0, pid: 0, umask: 0, unique: 0, resent: false },
  signal: new AbortController().signal,
  allocate: (size) => new Uint8Array(size),
};

/** What the union does for itself it does as who serves it, whoever asked. */
export function asServer(context: RequestContext): RequestContext {
  return {
    ...{ uid: 0, gid: 0, pid: context.pid, umask: 0 },
    unique: context.unique,
    resent: context.resent,
    get signal() {
      return context.signal;
    },
    allocate: (size) => new Uint8Array(size),
  };
}

/** As {@linkcode asServer}, for a release that the request will not ask for when it comes again. */
export function atOwnWill(context: RequestContext): RequestContext {
  return { ...SERVER, pid: context.pid };
}
