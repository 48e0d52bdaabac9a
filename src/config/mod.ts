/** The door of configurations. Loading it costs what reading TOML takes, so the tool does that only when it has a file. */
export type { BranchConfig, Config, MountConfig, RunConfig } from "./config.ts";
export { describeTree } from "./describe_tree.ts";
export { explain, treePath } from "./explain.ts";
export { loadConfig, loadMountpoint, type LoadOptions } from "./load.ts";
export { ConfigError, type Problem } from "./problems.ts";
export { type ChangingMount, LiveConfig } from "./live_config.ts";
export type { LiveMount } from "./differences.ts";
export { whyKeeperWanted } from "./kept_branches.ts";
export { planTree, type TreePlan } from "./tree_plan.ts";
