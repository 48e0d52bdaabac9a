/**
 * A filesystem that is served by threads of its own: a module that each of them loads for itself. With placement "loop"
 * its methods must answer at once, for a loop blocks in the kernel between requests and never runs an event loop. With
 * placement "handler" they may be async, and a worker that dies is started again: what it knew besides `shared` is gone,
 * so that handles and nodes may come which it does not know (`ESTALE`).
 */
import type { Awaitable, FileSystem } from "./filesystem.ts";

/** What a loop, or a handler worker, tells the filesystem that it makes. */
export interface LoopHost<Shared = unknown> {
  /** This loop's (or worker's) number, from 0. */
  readonly loop: number;
  /** How many loops serve the mount, the handlers beside them counted too. */
  readonly loops: number;
  /** For a handler beside loops (`LoopPlacement.handlers`): its number among those, from 0. Missing elsewhere. */
  readonly handler?: number;
  /**
   * How many workers died in this one's place before it, or how many servers, where a keeper holds the mount; of a handler
   * worker there, how many workers were in its place before it, in all servers together.
   */
  readonly restarts?: number;
  /** What `prepare` returned, the same memory in every loop. */
  readonly shared: Shared;
  /**
   * Where a server before this one served the mount: the operations and features that its filesystem had, of which the
   * kernel was told.
   */
  readonly agreed?: Agreed | undefined;
}

/** What a filesystem has, by name. */
export interface Agreed {
  /** Names of methods of `FileSystem`. */
  readonly methods: readonly string[];
  /** Names of features, as in `FileSystem.features`. */
  readonly features: readonly string[];
}

/** What outlives the process that serves, where a keeper holds the mount (docs/keeper.md): the next server finds it. */
export interface KeptState {
  /** How many servers there were before this one. */
  readonly restarts: number;
  /**
   * Whether the kernel goes on with the same connection, so that the next server will be asked for the nodes and handles of
   * this one. Where it cannot (Linux before 6.9), `memory` and `descriptors` are empty for each server.
   */
  readonly resumes: boolean;
  /**
   * By loop, then by handler, the request (`RequestContext.unique`) that the last server which served was at work on when it
   * ended, and had not answered: it comes again. What a handler's method was waiting for is none of these, and comes too. A server whose `prepare` has returned has settled them; the next one hears of others.
   */
  readonly interrupted: readonly (number | undefined)[];
  /** Of a tree: paths of first branches that were removed since the mount began. Nothing of them is to be opened. */
  readonly removedBranches: readonly string[];
  /**
   * Memory that holds what the server before left in it; zeros in the first. To be asked for once, with the same size in
   * every server. In bytes. Give views their length (`new Int32Array(memory, 0, words)`): it counts as one that may grow,
   * and without a length each access takes 30 times as long.
   */
  memory(bytes: number): SharedArrayBuffer;
  /** A part with memory of its own, such as a branch's: the next server finds it under the same name. */
  part(name: string): KeptState;
  /** Where open files are kept; see `src/kept/descriptor_store.ts`. Undefined where the kernel has no place for them. */
  readonly descriptors: KeptDescriptors | undefined;
  /**
   * Says which slots of the table have open files of the server before that are taken back, before `prepare` returns.
   * `then` is called when all have said so, and nobody serves yet; what nobody claimed is closed then.
   */
  claim(slots: Iterable<number>, then?: (isClaimed: (slot: number) => boolean) => void): void;
  /** Lets go of this part's memory, and of its parts': nobody uses it any more. */
  free(): void;
  /**
   * Where this part has a file in memory (`src/kept/kept_file.ts`), empty in the first server, that outlives the connection
   * too. `free` lets go of it as well.
   */
  file(): KeptFilePlace;
  /** Tells whoever mounted. */
  log(message: string, detail: string): void;
}

/** One of the files in memory that share a descriptor; it survives a structured clone. */
export interface KeptFilePlace {
  /** Of the file in memory that all of them are in. */
  readonly descriptor: number;
  /** Whose extents are this file's, of all that the table names. */
  readonly owner: number;
  /** The table: by extent of that file, whose it is. */
  readonly extents: SharedArrayBuffer;
}

/** A table of open files in the kernel; it survives a structured clone. */
export interface KeptDescriptors {
  /** The descriptor of the io_uring whose registered files they are. */
  readonly ring: number;
  /** How many there can be. */
  readonly slots: number;
  /** Its `struct io_uring_params`, in words. */
  readonly parameters: readonly number[];
}

/** The exports of such a module. `options` must survive a structured clone. */
export interface FileSystemModule<Options = unknown, Shared = unknown> {
  /** Makes the filesystem of one loop or worker. */
  default(options: Options, host: LoopHost<Shared>): FileSystem;
  /**
   * Called once, on the mounting side, before any loop or worker makes its filesystem: opens and allocates what all loops share
   * (SharedArrayBuffers, descriptor numbers). What it throws fails the mount. `kept` is there when a keeper holds the
   * mount.
   */
  prepare?(options: Options, loops: number, kept?: KeptState): Awaitable<Shared>;
  /**
   * Called once after the last loop has ended, with what `prepare` returned. `removed`: it was a branch that was removed, so
   * that nothing which was kept of it is wanted any more; else another server may take over.
   */
  release?(shared: Shared, removed?: boolean): Awaitable<void>;
  /**
   * For a tree: called when the branch that it had at `path` from the start was removed and no loop has it any more.
   * Closes what that branch had of `shared`, for which `release` comes in any case, and frees what was kept of it.
   */
  releaseBranch?(shared: Shared, path: string, kept?: KeptState): Awaitable<void>;
}
