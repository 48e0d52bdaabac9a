/** Who asks: the `RequestContext` that methods get, over the request's header. */
import { FUSE_UNIQUE_RESEND_UPPER } from "../../ffi/kernel.ts";
import type { RequestContext } from "../fs/filesystem.ts";
import type { RequestView } from "./request.ts";

const TWO_32 = 0x1_0000_0000;

/** What a context takes from the place where it is served. */
export interface ContextHost {
  /** A buffer for the bytes of a reply. */
  allocate(size: number): Uint8Array<ArrayBuffer>;
  /** The signal of the request `unique` (its lower and upper half). */
  signal(uniqueLower: number, uniqueUpper: number): AbortSignal;
}

/** Reads the caller from a request's header. A loop has one for all its requests; a handler makes one for each. */
export class HeaderContext implements RequestContext {
  uid = 0;
  gid = 0;
  pid = 0;
  umask = 0;
  readonly #host: ContextHost;
  #uniqueLower = 0;
  #uniqueUpper = 0;

  constructor(host: ContextHost) {
    this.#host = host;
  }

  /** Takes the caller of `request`. */
  read(request: RequestView): void {
    this.uid = request.uid;
    this.gid = request.gid;
    this.pid = request.pid;
    this.umask = 0;
    this.#uniqueLower = request.uniqueLower;
    this.#uniqueUpper = request.uniqueUpper;
  }

  /** Without the bit that says so, it is the number that the request came with the first time. */
  get unique(): number {
    return this.#uniqueLower + (this.#uniqueUpper & ~FUSE_UNIQUE_RESEND_UPPER) * TWO_32;
  }

  get resent(): boolean {
    return (this.#uniqueUpper & FUSE_UNIQUE_RESEND_UPPER) !== 0;
  }

  get signal(): AbortSignal {
    return this.#host.signal(this.#uniqueLower, this.#uniqueUpper);
  }

  allocate(size: number): Uint8Array<ArrayBuffer> {
    return this.#host.allocate(size);
  }
}
