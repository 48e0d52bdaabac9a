/** A request's context without a kernel, for tests that call a filesystem's methods directly. */
import type { RequestContext } from "../../src/fs/filesystem.ts";

/** The context of a request of root's, except for what `caller` says. Buffers come filled with rubbish, as real ones may. */
export function requestContext(caller: Partial<RequestContext> = {}): RequestContext {
  return {
    uid: 0,
    gid: 0,
    pid: 1,
    umask: 0o022,
    unique: 2,
    resent: false,
    signal: new AbortController().signal,
    allocate: (size) => new Uint8Array(size).fill(0xaa),
    ...caller,
  };
}
