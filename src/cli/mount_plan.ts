/** Which filesystem is mounted, from which module, and with which settings when nothing else is asked for. */
import type { AnyBranch } from "../config/config.ts";
import type { ContentBranch } from "../config/kept_branches.ts";
import type { ChangingMount } from "../config/live_config.ts";
import type { ServerSettings } from "../config/mount_options.ts";
import { MOST_LOOPS_UNASKED } from "../config/values.ts";
import { CACHE_TIMEOUTS, checkOptions } from "../layers/passthrough/options.ts";
import type { ReloadReport, ReloadRequest } from "../control/messages.ts";
import type { ModulePlacement, MountOptions } from "../mount.ts";
import { Failure } from "./failure.ts";
import type { KeeperChoice } from "./keeper_choice.ts";
import type { ParsedOptions } from "./mount_options.ts";

/** A part of what is mounted: all of it, or a branch of a configuration. */
export type ServedPart = ContentBranch & Pick<AnyBranch, "path" | "placement">;

/** What `mount` is given. */
export interface MountPlan extends Readonly<ServerSettings> {
  /** What the tool and the mount table say is mounted. */
  readonly name: string;
  readonly placement: ModulePlacement;
  readonly settings: MountOptions;
  /** What is mounted: one part, or the branches of a configuration. */
  readonly parts: readonly ServedPart[];
  /** Of which configuration they are, if of one. */
  readonly configuration?: { readonly file: string; readonly growing: boolean };
  /** Whether a keeper holds the mount, when that is decided, and why. */
  readonly keeper?: KeeperChoice;
  /** How the tree is made as its configuration says now; undefined where no configuration says anything. */
  readonly reload?: (mount: ChangingMount, request: ReloadRequest) => Promise<ReloadReport>;
}

const MEMORY = new URL("../layers/memory/module.ts", import.meta.url);
const PASSTHROUGH = new URL("../layers/passthrough/module.ts", import.meta.url);

/** An empty filesystem in memory. */
export function planMemory({ memory }: ParsedOptions): MountPlan {
  // As tmpfs: a full filesystem is an error that programs know, a machine without memory is not.
  const limits = { size: Math.floor(Deno.systemMemoryInfo().total / 2) };
  return {
    name: "memory",
    placement: { module: MEMORY, options: { ...limits, ...memory }, loops: 1 },
    settings: { defaultPermissions: true },
    parts: [{ path: "/", type: "memory", options: memory }],
  };
}

/** The directory `source`, an absolute path. */
export function planPassthrough(source: string, { passthrough, loops }: ParsedOptions): MountPlan {
  const options = check({ source, ...passthrough });
  const timeout = CACHE_TIMEOUTS[options.cache];
  return {
    name: source,
    placement: {
      module: PASSTHROUGH,
      options,
      loops: loops ?? Math.min(navigator.hardwareConcurrency, MOST_LOOPS_UNASKED),
    },
    settings: {
      attributesTimeout: timeout,
      entryTimeout: timeout,
      // The source decides, as the caller, on everything that reaches it; but what the kernel has cached of a directory
      // reaches nobody, so the kernel has to check as well. With POSIX ACLs, which the layer asks for, it does so in any
      // case (process_init_reply in fs/fuse/inode.c); said here, it holds on a kernel without them too.
      defaultPermissions: true,
    },
    parts: [{ path: "/", type: "passthrough", options }],
  };
}

function check(options: Parameters<typeof checkOptions>[0]): ReturnType<typeof checkOptions> {
  try {
    return checkOptions(options);
  } catch (error) {
    throw error instanceof TypeError ? new Failure("USAGE", error.message, { cause: error }) : error;
  }
}
