/**
 * Trellis: FUSE for TypeScript. A filesystem is an object with (async) methods; `mount` makes it a directory.
 *
 * @module
 */
export {
  type ControlHooks,
  type KeptMount,
  type KeptMountOptions,
  type ModulePlacement,
  mount,
  type MountOptions,
  type ReloadReport,
  type ReloadRequest,
} from "./src/mount.ts";
export { KeeperError, type ServerState } from "./src/keeper/kept_mount.ts";
export type { HandlerPlacement, LoopPlacement } from "./src/mount.ts";
export type { Bounds, Deadlines, Feature, LimitOptions, Metrics, OperationMetrics, Transport } from "./src/mount.ts";
export type { OperationKind } from "./src/fs/limits.ts";
export type { EndReason, Session } from "./src/session.ts";
export { MountError } from "./src/connection/connection.ts";
export { MountpointError } from "./src/connection/mountpoint.ts";
export { LibraryError } from "./ffi/library.ts";
export { Elsewhere, ERRNO, type ErrnoName, errnoNameOf, FsError, Later } from "./src/fs/errors.ts";
export * from "./src/fs/connection_info.ts";
export * from "./src/fs/filesystem.ts";
export type { BranchModule, BranchStep, ChangedBranches, RemovalOptions } from "./src/fs/branches.ts";
export type { ChangeableBranches } from "./src/fs/branches.ts";
export * from "./src/fs/notifier.ts";
export * from "./src/fs/attributes.ts";
export * from "./src/fs/module.ts";
export * from "./src/fs/flags.ts";
export { mapNotifier } from "./src/layers/support/map_notifier.ts";
export { PollHandles } from "./src/layers/support/poll_handles.ts";
export { type BranchDefinition, BranchFileSystem, type BranchOptions } from "./src/layers/branch/mod.ts";
export type { BranchTable, MountTargets, Place } from "./src/layers/branch/mod.ts";
export * from "./src/layers/wrappers/mod.ts";
export { MemoryFileSystem, type MemoryOptions } from "./src/layers/memory/mod.ts";
export { CREATE_POLICIES, type CreatePolicyName, makeUnion } from "./src/layers/union/mod.ts";
export type { Candidate, CreatePolicy, UnionBranch, UnionOptions } from "./src/layers/union/mod.ts";
