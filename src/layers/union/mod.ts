/**
 * Several directories at one path. What is changed is changed on a branch that is writable: a file of another is copied
 * there first, and what is deleted is hidden there. The marks on the branches are those of the kernel's overlayfs.
 *
 * The branches are filesystems, of any kind, in order: the first that has a name shows it, and directories of one name
 * are merged. The union answers at once when they do.
 */
import type { ConnectionInfo } from "../../fs/connection_info.ts";
import type { FileSystem, NodeId } from "../../fs/filesystem.ts";
import { FsError } from "../../fs/errors.ts";
import { mapNotifier } from "../support/map_notifier.ts";
import { attributeOperations } from "./attribute_operations.ts";
import { directoryOperations } from "./directory_operations.ts";
import { fileOperations } from "./file_operations.ts";
import type { UnionBranch } from "./member.ts";
import type { Result } from "./kept_records.ts";
import { type KeptUnionMemory, shareKeptUnion, statesOfMembers } from "./kept_tables.ts";
import { nameOperations, resultOf } from "./name_operations.ts";
import { contextOf } from "./plans.ts";
import { CREATE_POLICIES, type CreatePolicyName } from "./policies.ts";
import { run } from "./steps.ts";
import { Union } from "./union.ts";

export { CREATE_POLICIES, type CreatePolicyName, type UnionBranch };
export { type KeptUnionMemory, shareKeptUnion, statesOfMembers };
export type { Candidate, CreatePolicy } from "./policies.ts";

/** How a union is to be. */
export interface UnionOptions {
  /** On which branch new files are made. Default `ff`: the first that is writable. */
  readonly createPolicy?: CreatePolicyName;
  /** Numbers from 0 to 1, for the policies that draw lots. Default: `Math.random`. */
  readonly random?: () => number;
  /**
   * How many unions were here before, each of which died (`host.restarts`): their node ids and handles, which the kernel may
   * still ask for, are none of this one's. Default 0.
   */
  readonly restarts?: number;
  /** Where its tables are that outlive the server; the branches then answer at once. Default: nowhere. */
  readonly kept?: KeptUnionMemory | undefined;
}

/** The kernel goes on with the file that it was given, and a union's file may be another one after its first change. */
const PASSTHROUGH = "passthrough";

/** A filesystem that shows several at one path, in their order. @throws {RangeError} for no branch. */
export function makeUnion(branches: readonly UnionBranch[], options: UnionOptions = {}): FileSystem {
  if (branches.length === 0) throw new RangeError("Cannot make a union of no branches: name at least one");
  const { createPolicy = "ff", random = Math.random, restarts = 0, kept } = options;
  const union = new Union(branches, { policy: CREATE_POLICIES[createPolicy], random, restarts, kept });
  return {
    features: commonFeatures(branches),

    initialize(connection: ConnectionInfo): void {
      if (connection.noteProgress !== undefined) union.copyUp.noteProgress = connection.noteProgress;
      union.resolution.kernelChecks = connection.features.has("posix-acl");
      const features = new Set([...connection.features].filter((feature) => feature !== PASSTHROUGH));
      for (const { index, filesystem } of union.members) {
        // What is changed behind a part that nobody sees need not be told.
        const notifier = mapNotifier(connection.notifier, (part) => union.nodes.find(index, part)?.id);
        filesystem.initialize?.({ ...connection, features, notifier });
      }
      finishPlan(union);
      union.tables?.dropUnknown();
    },

    async destroy(): Promise<void> {
      await Promise.all(union.members.map(({ filesystem }) => filesystem.destroy?.()));
    },

    ...forgetting(union),
    ...nameOperations(union),
    ...attributeOperations(union),
    ...fileOperations(union),
    ...directoryOperations(union),
  };
}

/** Lookups are counted here where they outlive the server, and elsewhere by who asks. */
function forgetting({ nodes, tables }: Union): FileSystem {
  if (tables === undefined) return { forget: (node: NodeId) => nodes.forget(node) };
  return { forgetLookups: (node: NodeId, count: number) => tables.forget(node, count) };
}

/** Does to the end what the server before was at, before anybody sees it half done. */
function finishPlan(union: Union): void {
  const { tables, names } = union;
  const plan = tables?.plan;
  if (tables === undefined || plan === undefined) return;
  const { step } = plan;
  const flags = step.action === "make" && step.making.type === "file" ? step.making.flags : 0;
  let result: Result;
  try {
    const made = run(names.finish(step, contextOf(plan)));
    if (made instanceof Promise) {
      throw new TypeError("A union that outlives its server needs branches that answer at once");
    }
    result = resultOf(union, made, flags);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;

    result = { error: error.code };
  }
  tables.settle(plan, result);
}

/** What all branches ask for: the kernel's behaviour is one for the whole mount. */
function commonFeatures(branches: readonly UnionBranch[]): string[] {
  const [first, ...others] = branches.map(({ filesystem }) => filesystem.features ?? []);
  return first!.filter((feature) => feature !== PASSTHROUGH && others.every((features) => features.includes(feature)));
}
