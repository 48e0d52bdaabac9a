/** The memory filesystem as a module that a session loop loads (placement "loop"). */
import { FsError } from "../../fs/errors.ts";
import type { FileSystem } from "../../fs/filesystem.ts";
import type { KeptFilePlace, KeptState, LoopHost } from "../../fs/module.ts";
import { KeptFile } from "../../kept/kept_file.ts";
import { COUNTS_SIZE, KeptMemoryFileSystem } from "./kept_memory.ts";
import { MemoryFileSystem } from "./mod.ts";
import type { MemoryOptions } from "./mod.ts";

/** How to make it, as a mount of its own. */
export interface MemoryModuleOptions extends MemoryOptions {
  /** Have the files outlive the server, where a keeper holds the mount. Default false. At most 4 million files then. */
  keepContent?: boolean;
}

/** Where the files are that outlive the server; it survives a structured clone. */
export interface SharedMemory {
  readonly file: KeptFilePlace;
  readonly counts: SharedArrayBuffer;
}

/**
 * Finds what the server before left, or says that it is gone.
 *
 * @throws {FsError} `EINVAL` for `keepContent` where no keeper holds the mount.
 */
export function prepare(
  options: MemoryModuleOptions | undefined,
  _loops: number,
  kept?: KeptState,
): SharedMemory | undefined {
  if (options?.keepContent) {
    if (kept !== undefined) return shareKeptMemory(kept);
    throw new FsError("EINVAL", 'Cannot keep files for another server without a keeper: mount with process "separate"');
  }
  if (kept !== undefined && kept.restarts > 0) {
    kept.log("The filesystem in memory is empty: its files went with the server before", "");
  }
}

/** Makes the filesystem of the one loop that can serve it. */
export default function makeFileSystem(
  options: MemoryModuleOptions | undefined,
  { loops, restarts = 0, shared }: LoopHost<SharedMemory | undefined>,
): FileSystem {
  if (loops !== 1) {
    throw new RangeError(
      `Cannot serve a memory filesystem from ${loops} loops: its files live in one; mount it with 1`,
    );
  }
  // Where a keeper holds the mount: what was here is gone with the server, and so its node ids must be.
  return shared === undefined
    ? new MemoryFileSystem({ ...options, restarts })
    : openKeptMemory({ ...options, restarts }, shared);
}

/** The filesystem that the server before left, or an empty one. Only one thread at a time may have it. */
export function openKeptMemory(options: MemoryOptions, { file, counts }: SharedMemory): KeptMemoryFileSystem {
  const words = new Int32Array(counts, 0, COUNTS_SIZE / 4);
  return new KeptMemoryFileSystem(options, { file: new KeptFile(file), counts: words });
}

/** Where such a filesystem has its files. */
export function shareKeptMemory(kept: KeptState): SharedMemory {
  return { file: kept.file(), counts: kept.memory(COUNTS_SIZE) };
}
