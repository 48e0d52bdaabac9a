/** Open files by number: what `open` and `openDirectory` hand out, and `release` and `releaseDirectory` take back. */
import { FsError } from "../../fs/errors.ts";
import type { Handle } from "../../fs/filesystem.ts";
import { numbersApart } from "./restarts.ts";

/** The open files of one kind. Handles count up and are not used again. */
export class HandleTable<Opened> {
  readonly #opened = new Map<Handle, Opened>();
  #next: Handle;

  /** `restarts`: how many filesystems died before, whose handles are none of this one's. The first handle is 1. */
  constructor(restarts = 0) {
    this.#next = 1 + numbersApart(restarts);
  }

  /** How many are open. */
  get size(): number {
    return this.#opened.size;
  }

  /** Keeps `opened` and returns its handle. */
  add(opened: Opened): Handle {
    const handle = this.#next++;
    this.#opened.set(handle, opened);
    return handle;
  }

  /** Keeps `opened` under a handle that another table gave out before. */
  adopt(handle: Handle, opened: Opened): Opened {
    this.#opened.set(handle, opened);
    return opened;
  }

  /** What `handle` stands for; undefined when it is not open here. */
  find(handle: Handle): Opened | undefined {
    return this.#opened.get(handle);
  }

  /** What `handle` stands for; `EBADF` when it is not open. */
  get(handle: Handle): Opened {
    const opened = this.#opened.get(handle);
    if (opened === undefined) throw new FsError("EBADF", `Cannot use handle ${handle}: it is not open`);
    return opened;
  }

  /** Lets go of `handle`. */
  remove(handle: Handle): void {
    this.#opened.delete(handle);
  }

  /** Lets go of all. */
  clear(): void {
    this.#opened.clear();
  }
}
