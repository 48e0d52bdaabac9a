/** How the tree of a configuration is mounted: by which module, in how many loops and handlers, with which timeouts. Pure. */
import type { MountTargets } from "../layers/branch/mod.ts";
import { CACHE_TIMEOUTS } from "../layers/passthrough/options.ts";
import type { LoopPlacement, MountOptions } from "../mount.ts";
import type { BranchConfig, Config } from "./config.ts";
import { canBeInAllLoops } from "./branch_module.ts";
import { branchesInHandlers, type TreeOptions } from "./tree_module.ts";
import { MOST_LOOPS_UNASKED } from "./values.ts";

const MODULE = new URL("./tree_module.ts", import.meta.url);

/** What `mount` is given. */
export interface TreePlan {
  readonly placement: Required<Pick<LoopPlacement, "module" | "loops" | "handlers" | "handlersLater">> & {
    readonly options: TreeOptions;
  };
  readonly settings: MountOptions;
}

/** Plans the mount of a configuration on a machine with so many `cores`. */
export function planTree(
  { branches, mount }: Pick<Config, "branches" | "mount">,
  cores: number,
  targets?: MountTargets,
): TreePlan {
  const { branchPointErrno, growing } = mount;
  const loops = branches.every(canBeInAllLoops) ? mount.loops ?? Math.min(cores, MOST_LOOPS_UNASKED) : 1;
  const handlers = branchesInHandlers(branches).map(() => ({}));
  return {
    placement: {
      module: MODULE,
      options: { branches, branchPointErrno, growing, ...targets && { targets } },
      loops,
      handlers,
      handlersLater: growing || handlers.length > 0,
    },
    settings: { attributesTimeout: attributesTimeout(branches), ...mount.options },
  };
}

/**
 * Entries carry their branch's own timeouts, but an answer to getattr has those of the mount: the shortest that a branch
 * asks for.
 */
export function attributesTimeout(branches: readonly BranchConfig[]): number {
  return Math.min(...branches.map((branch) => {
    return branch.type === "passthrough" ? CACHE_TIMEOUTS[branch.options.cache ?? "auto"] : CACHE_TIMEOUTS.auto;
  }));
}
