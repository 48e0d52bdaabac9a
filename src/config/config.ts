/** A configuration, checked: what is mounted where, with which options, and what is run in it. */
import { isDeepStrictEqual } from "node:util";
import type { ErrnoName } from "../fs/errors.ts";
import type { MemoryModuleOptions } from "../layers/memory/module.ts";
import type { PassthroughOptions } from "../layers/passthrough/options.ts";
import type { CreatePolicyName } from "../layers/union/policies.ts";
import type { MountOptions } from "../mount.ts";
import type { ServerSettings } from "./mount_options.ts";
import type { Settings } from "./settings.ts";

/** The whole of it, frozen. Paths of the host are absolute. */
export interface Config {
  /** The file's name, as it was given. */
  readonly file: string;
  readonly mount: MountConfig;
  /** In the order of their ids; one at `/` is the first, with id 0. */
  readonly branches: readonly BranchConfig[];
  readonly run: RunConfig;
  /** What was set, and by whom. */
  readonly settings: Settings;
}

/** A configuration of which those parts are there that nothing is wrong with. */
export type PartialConfig = Omit<Config, "mount" | "run"> & { [Part in "mount" | "run"]: Config[Part] | undefined };

/** `[mount]`. */
export interface MountConfig extends Readonly<ServerSettings> {
  readonly point?: string;
  /** Undefined: as many as the branches can make use of. */
  readonly loops?: number;
  /** Whether branches of any kind may come later. */
  readonly growing: boolean;
  /** What refuses to change a branch point from above. */
  readonly branchPointErrno: ErrnoName & ("EBUSY" | "EPERM");
  /** For `mount`. */
  readonly options: MountOptions;
}

/** A `[[branch]]`. */
export type BranchConfig = MemoryBranch | PassthroughBranch | UnionBranch;

/** What all branches have. */
export interface AnyBranch {
  /** Its number in node ids, from 0 to 4095. */
  readonly id: number;
  /** Where it is grafted: absolute and normal. */
  readonly path: string;
  /** Which `[[branch]]` of the file it is, from 0: `["branch", index, …]` are its settings. */
  readonly index: number;
  /** Undefined: `loop`. */
  readonly placement?: "loop" | "handler";
  readonly wrappers: Wrappers;
}

/** What is put around a branch's filesystem. */
export interface Wrappers {
  readonly readOnly: boolean;
  /** In bytes; undefined for no limit. */
  readonly maxSize?: number;
  /** Patterns of names, with `*`, `?` and `[…]`. */
  readonly hidden: readonly string[];
  readonly ownership: Ownership;
}

/** What every file shows instead of its own; undefined leaves it. */
export interface Ownership {
  readonly uid?: number;
  readonly gid?: number;
  /** Permission bits of all but directories. */
  readonly fileMode?: number;
  /** Permission bits of directories. */
  readonly directoryMode?: number;
}

/** A filesystem in memory. */
export interface MemoryBranch extends AnyBranch {
  readonly type: "memory";
  readonly options: Readonly<MemoryModuleOptions>;
}

/** A directory of the host. */
export interface PassthroughBranch extends AnyBranch {
  readonly type: "passthrough";
  readonly options: Readonly<PassthroughOptions>;
}

/** Several directories of the host. */
export interface UnionBranch extends AnyBranch {
  readonly type: "union";
  readonly sources: readonly UnionSource[];
  /** Where a new file is made. */
  readonly createPolicy: CreatePolicyName;
}

/** A directory of a union. */
export interface UnionSource {
  readonly path: string;
  readonly writable: boolean;
}

/** `[run]`. */
export interface RunConfig {
  /** A program and its arguments. */
  readonly command?: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly network: boolean;
  readonly binds: readonly Bind[];
  readonly sharedMemory: readonly SharedMemory[];
}

/** A file or directory of the host that is shown inside. */
export interface Bind {
  readonly source: string;
  /** Where, absolute. */
  readonly target: string;
  readonly readOnly: boolean;
  /** The key that names it, from `[run]`. */
  readonly key: readonly (string | number)[];
}

/** An area of memory that processes inside and outside map. */
export interface SharedMemory {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
}

/** Whether two configurations mean the same by a branch, whatever its number: that is the mount's own once it is mounted. */
export function isSameBranch(one: BranchConfig, other: BranchConfig): boolean {
  // Parts that are not set may be missing or undefined, and the values frozen or not.
  const contentOf = ({ id: _id, index: _index, ...content }: BranchConfig) => structuredClone(content);
  return isDeepStrictEqual(contentOf(one), contentOf(other));
}

/** The directories of the host that a branch shows, each with the key that names it, from the branch's own table. */
export function sourcesOf(
  branch: BranchConfig,
): { path: string; writable: boolean; key: readonly (string | number)[] }[] {
  switch (branch.type) {
    case "memory":
      return [];
    case "passthrough":
      return [{ path: branch.options.source, writable: true, key: ["source"] }];
    case "union":
      return branch.sources.map((source, index) => ({ ...source, key: ["sources", index] }));
  }
}
