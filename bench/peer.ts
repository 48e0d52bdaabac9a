/** What a peer of the benchmark is: a server, or the host, and how it is started. */

/** How far the kernel may cache. */
export type Caching = typeof CACHINGS[number];

/**
 * `off` is nothing, so that every call is a request. With the others names and attributes may be a second old, and what
 * was read of files is kept as each server does it by itself (`default`), or always, as far as it can: only the mount
 * changes them (`best`).
 */
export const CACHINGS = ["off", "default", "best"] as const;

/** What a peer is, for the targets: C and C++ servers are who Trellis is to be as fast as, and no server beats the limit. */
export type Kind = "host" | "limit" | "C" | "other" | "trellis";

/** Where a peer's files are. */
export interface Place {
  /** With compiled programs, the same for all peers. */
  readonly programs: string;
  /** The directory to show. */
  readonly source: string;
  readonly mountpoint: string;
  /** An empty directory of this peer's own. */
  readonly scratch: string;
}

export interface Peer {
  /** A word, for `--peers`. */
  readonly name: string;
  readonly kind: Kind;
  /** What it is, in a line. */
  readonly about: string;
  /** Compiles or installs what the server needs into `programs`; why it cannot be had here, if so. */
  unavailable?(programs: string): Promise<string | undefined>;
  /** The server as a program in the foreground. Without one the source itself is measured. */
  command?(place: Place, caching: Caching): string[] | Promise<string[]>;
  /** Where the source is within the mount, when not at its root. */
  readonly folder?: string;
  /** Shows no directory: files are to be made through the mount. */
  readonly sourceless?: boolean;
  /** Answers, but keeps no files: programs have nothing to work on. */
  readonly fileless?: boolean;
}

/** Why there is no io_uring for FUSE, if so. */
export async function noUring(): Promise<string | undefined> {
  const parameter = await Deno.readTextFile("/sys/module/fuse/parameters/enable_uring").catch(() => "N");
  return parameter.trim() === "Y" ? undefined : "the kernel does not offer it (enable_uring of the fuse module)";
}
