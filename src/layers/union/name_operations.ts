/** Operations on names: looking them up, making, removing, renaming, linking. */
import type { Entry } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { Awaitable, Created, FileSystem, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { copyAttributes } from "../support/copy_attributes.ts";
import type { Result } from "./kept_records.ts";
import { isWhiteout } from "./marks.ts";
import type { Found } from "./resolution.ts";
import type { Made } from "./names.ts";
import type { UnionNode } from "./nodes.ts";
import type { Making } from "./plans.ts";
import { run, type Steps, wait } from "./steps.ts";
import type { Union } from "./union.ts";

export function nameOperations(union: Union) {
  function* find(parent: NodeId, name: string, context: RequestContext): Steps<Entry | undefined> {
    const place = { parent: union.nodes.get(parent), name };
    const found = yield* union.resolution.find(place.parent, name, context);
    if (found?.lacksName) yield* union.copyUp.name(found.node, place, union.members[found.node.top]!, context);
    return found && union.entry(found);
  }

  function* makeEntry(parent: NodeId, name: string, making: Making, context: RequestContext): Steps<Entry> {
    return union.entry((yield* union.names.make(union.nodes.get(parent), name, making, context)).found);
  }

  function make(parent: NodeId, name: string, making: Making, context: RequestContext): Awaitable<Entry> {
    return run(union.once(context, makeEntry(parent, name, making, context), entryResult, recallEntry));
  }

  function* makeAndOpen(
    parent: NodeId,
    name: string,
    making: Making & { readonly type: "file" },
    context: RequestContext,
  ): Steps<Created> {
    const made = yield* union.names.make(union.nodes.get(parent), name, making, context);
    return union.created(made, making.flags);
  }

  function* makeUnnamed(parent: UnionNode, mode: number, flags: number, context: RequestContext): Steps<Created> {
    const { member, directory } = yield* union.names.choose(parent, context);
    const made = yield* wait(member.makeTemporaryFile(directory, mode, flags, context));
    const opened = { ...made.opened };
    const attributes = copyAttributes(made.entry.attributes, {});
    const node = union.nodes.add(member.index, made.entry.node, attributes, member.index + 1);
    return union.created({ found: { node, attributes }, opened }, flags);
  }

  function* addName(node: UnionNode, newParent: UnionNode, newName: string, context: RequestContext): Steps<Entry> {
    return union.entry(yield* union.names.link(node, newParent, newName, context));
  }

  const recallEntry = (result: Result) => union.recallEntry(result);

  function* recallCreated(result: Result): Steps<Created> {
    return { entry: yield* union.recallEntry(result), opened: result.opened! };
  }

  return {
    lookup(parent: NodeId, name: string, context: RequestContext): Awaitable<Entry | undefined> {
      return run(union.written(find(parent, name, context)));
    },

    makeNode(parent: NodeId, name: string, mode: number, device: number, context: RequestContext): Awaitable<Entry> {
      if (isWhiteout({ mode, device })) {
        throw new FsError("EPERM", `Cannot make "${name}": 0/0 is the union's whiteout`);
      }
      return make(parent, name, { type: "node", mode, device }, context);
    },

    makeDirectory(parent: NodeId, name: string, mode: number, context: RequestContext): Awaitable<Entry> {
      return make(parent, name, { type: "directory", mode }, context);
    },

    makeSymbolicLink(parent: NodeId, name: string, target: string, context: RequestContext): Awaitable<Entry> {
      return make(parent, name, { type: "link", target }, context);
    },

    create(parent: NodeId, name: string, mode: number, flags: number, context: RequestContext): Awaitable<Created> {
      const steps = makeAndOpen(parent, name, { type: "file", mode, flags }, context);
      return run(union.once(context, steps, createdResult, recallCreated));
    },

    makeTemporaryFile(parent: NodeId, mode: number, flags: number, context: RequestContext): Awaitable<Created> {
      const steps = makeUnnamed(union.nodes.get(parent), mode, flags, context);
      return run(union.once(context, steps, createdResult, recallCreated));
    },

    unlink(parent: NodeId, name: string, context: RequestContext): Awaitable<void> {
      const steps = union.names.unlink(union.nodes.get(parent), name, context);
      return run(union.once(context, steps, nothing, recallNothing));
    },

    removeDirectory(parent: NodeId, name: string, context: RequestContext): Awaitable<void> {
      const steps = union.names.removeDirectory(union.nodes.get(parent), name, context);
      return run(union.once(context, steps, nothing, recallNothing));
    },

    rename(
      parent: NodeId,
      name: string,
      newParent: NodeId,
      newName: string,
      flags: number,
      context: RequestContext,
    ): Awaitable<void> {
      const [from, to] = [union.nodes.get(parent), union.nodes.get(newParent)];
      const steps = union.names.rename(from, name, to, newName, flags, context);
      return run(union.once(context, steps, nothing, recallNothing));
    },

    link(node: NodeId, newParent: NodeId, newName: string, context: RequestContext): Awaitable<Entry> {
      const steps = addName(union.nodes.get(node), union.nodes.get(newParent), newName, context);
      return run(union.once(context, steps, entryResult, recallEntry));
    },
  } satisfies FileSystem;
}

const entryResult = ({ node }: Entry): Result => ({ node });
const createdResult = ({ entry: { node }, opened }: Created): Result => ({ node, opened });
export const nothing = (): Result => ({});
export function* recallNothing(): Steps<void> {}

/** What comes of what was begun by a server before, as the kernel is to be told of it. */
export function resultOf(union: Union, made: Made | Found | void, flags: number): Result {
  if (made === undefined) return {};
  if ("node" in made) return entryResult(union.entry(made));
  return made.opened === undefined ? entryResult(union.entry(made.found)) : createdResult(union.created(made, flags));
}
