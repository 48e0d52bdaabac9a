/**
 * A directory of the host, shown through a mount as it is: the passthrough filesystem as a module that any number of
 * session loops load (placement "loop"). They share one table of nodes in shared memory.
 */
import type { KeptState, LoopHost } from "../../fs/module.ts";
import { checkOptions, type PassthroughOptions } from "./options.ts";
import { makePassthroughFileSystem, type PassthroughFileSystem } from "./passthrough_file_system.ts";
import { closeSource, openSource, type Source } from "./source.ts";

export type { CacheMode, PassthroughOptions } from "./options.ts";

/** Opens the source, and raises the process's soft limit of open files to the hard one. */
export function prepare(options: PassthroughOptions, loops: number, kept?: KeptState): Source {
  return openSource(checkOptions(options), loops, kept);
}

/** Closes whatever the mount still has open in the source; `removed`: for good, or else another server may go on with it. */
export function release(source: Source, removed = false): void {
  closeSource(source, removed);
}

/** Makes the filesystem of one loop. */
export default function makeFileSystem(options: PassthroughOptions, host: LoopHost<Source>): PassthroughFileSystem {
  return makePassthroughFileSystem(checkOptions(options), host.shared, host.loop);
}
