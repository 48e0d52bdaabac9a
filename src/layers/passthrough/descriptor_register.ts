/**
 * Every descriptor that the layer holds, one byte each in shared memory, so that any loop can tell what a handle is,
 * and so that the end of the mount closes whatever is left.
 */
import { FsError } from "../../fs/errors.ts";
import type { RequestContext } from "../../fs/filesystem.ts";
import type { KeptFiles } from "./kept_files.ts";
import type { SystemCalls } from "./system_calls.ts";

/** What a descriptor is for. */
export const NODE = 1;
export const FILE = 2;
/** A file opened with O_APPEND. Its descriptor is not: see `fileOperations`. */
export const APPENDED_FILE = 3;
export const DIRECTORY = 4;
export const LOCK_OWNER = 5;
export const FIXTURE = 6;
/** No file: a number whose release was done and comes again; until then it must not be anybody else's. */
export const PARKED = 7;

/** No file any more: a number whose release may not be answered yet (see `KeptFiles`). */
export const RETIRED = 8;

/** What a handle may be. */
export const FILE_KINDS: ReadonlySet<number> = new Set([FILE, APPENDED_FILE, DIRECTORY]);

export class DescriptorRegister {
  /** Where a keeper holds the mount: what is open outlives this process. */
  readonly kept: KeptFiles | undefined;
  readonly #kinds: Uint8Array<SharedArrayBuffer>;
  readonly #calls: SystemCalls;

  constructor(kinds: SharedArrayBuffer, calls: SystemCalls, kept?: KeptFiles) {
    this.#kinds = new Uint8Array(kinds);
    this.#calls = calls;
    this.kept = kept;
  }

  /** Notes a descriptor and returns it. */
  add(descriptor: number, kind: number): number {
    this.#kinds[descriptor] = kind;
    return descriptor;
  }

  /** As {@linkcode add}, for what `request` opened and is to outlive this process. The descriptor may be another then. */
  addOpened(descriptor: number, kind: number, { unique }: RequestContext): number {
    return this.add(this.kept === undefined ? descriptor : this.kept.keep(descriptor, kind, unique), kind);
  }

  /** What a descriptor is for; 0 when it is none of ours. */
  kindOf(descriptor: number): number {
    return this.#kinds[descriptor] ?? 0;
  }

  /** Closes a descriptor. It is struck off first: another loop may get its number at once. */
  close(descriptor: number): void {
    this.#kinds[descriptor] = 0;
    this.kept?.drop(descriptor);
    this.#calls.close(descriptor);
  }

  /** Closes a handle that `open`, `create` or `openDirectory` gave out. */
  closeHandle(handle: number, context?: RequestContext): void {
    const kind = this.kindOf(handle);
    if (!FILE_KINDS.has(kind) && kind !== PARKED) throw new FsError("EBADF", `Handle ${handle} is not open`);
    this.#kinds[handle] = 0;
    this.kept?.release(handle, context?.unique ?? 0);
    this.#calls.close(handle);
  }

  /** Closes all that are left and returns how many there were. */
  closeAll(): number {
    let closed = 0;
    for (let descriptor = 0; descriptor < this.#kinds.length; descriptor++) {
      if (this.#kinds[descriptor] === 0) continue;
      this.close(descriptor);
      closed++;
    }
    return closed;
  }
}
