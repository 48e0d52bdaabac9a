/** Memory that programs inside and outside a sandbox map: files in a folder of their own in the host's /dev/shm. */
import type { SharedMemory } from "./sandbox.ts";

/** An area as it is asked for. */
export interface SharedMemoryRequest {
  /** Its file name in /dev/shm, inside: no slash. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
}

const FOLDER = "/dev/shm";

/** The areas of one sandbox; they go when it does. Whoever has mapped one keeps its pages. */
export class SharedMemoryFolder implements AsyncDisposable {
  readonly areas: readonly SharedMemory[];
  /** The folder. Undefined when there is nothing to share. */
  readonly path: string | undefined;

  private constructor(path: string | undefined, areas: readonly SharedMemory[]) {
    this.path = path;
    this.areas = areas;
  }

  /**
   * Makes a file of its size for each area, zeroes all of it, in a folder that only the caller's user may enter.
   *
   * @throws {Deno.errors.NotFound} on a machine without /dev/shm. @throws {TypeError} for a name that is none.
   */
  static async make(requests: readonly SharedMemoryRequest[]): Promise<SharedMemoryFolder> {
    if (requests.length === 0) return new SharedMemoryFolder(undefined, []);
    const path = await Deno.makeTempDir({ dir: FOLDER, prefix: "trellis-" });
    await using undo = new AsyncDisposableStack();
    undo.defer(() => Deno.remove(path, { recursive: true }));
    const areas: SharedMemory[] = [];
    for (const { name, size } of requests) {
      if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
        throw new TypeError(`Cannot share memory as "${name}": it must be a file name, such as "frames"`);
      }
      using file = await Deno.open(`${path}/${name}`, { createNew: true, write: true, mode: 0o600 });
      await file.truncate(size);
      areas.push({ name, path: `${path}/${name}` });
    }
    undo.move();
    return new SharedMemoryFolder(path, areas);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.path !== undefined) await Deno.remove(this.path, { recursive: true });
  }
}
