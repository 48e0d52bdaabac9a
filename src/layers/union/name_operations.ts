/** Operations on names: looking them up, making, removing, renaming, linking. */
import type { Entry } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { Awaitable, Created, FileSystem, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { copyAttributes } from "../support/copy_attributes.ts";
import { isWhiteout } from "./marks.ts";
import type { Member } from "./member.ts";
import type { UnionNode } from "./nodes.ts";
import { run, type Steps, wait } from "./steps.ts";
import type { Union } from "./union.ts";

export function nameOperations(union: Union) {
  function* find(parent: NodeId, name: string, context: RequestContext): Steps<Entry | undefined> {
    const place = { parent: union.nodes.get(parent), name };
    const found = yield* union.resolution.find(place.parent, name, context);
    if (found?.lacksName) yield* union.copyUp.name(found.node, place, union.members[found.node.top]!, context);
    return found && union.entry(found);
  }

  function* makeEntry(
    parent: NodeId,
    name: string,
    context: RequestContext,
    make: (member: Member, directory: NodeId) => Awaitable<Entry>,
  ): Steps<Entry> {
    const { found } = yield* union.names.make(union.nodes.get(parent), name, context, function* (member, directory) {
      return { entry: yield* wait(make(member, directory)) };
    });
    return union.entry(found);
  }

  function* makeAndOpen(
    parent: NodeId,
    name: string,
    mode: number,
    flags: number,
    context: RequestContext,
  ): Steps<Created> {
    const make = function* (member: Member, directory: NodeId) {
      const { entry, opened } = yield* wait(member.create(directory, name, mode, flags, context));
      return { entry: { ...entry, attributes: copyAttributes(entry.attributes, {}) }, opened: { ...opened } };
    };
    const { found, made } = yield* union.names.make(union.nodes.get(parent), name, context, make);
    return { entry: union.entry(found), opened: union.opened(found.node, flags, made.opened) };
  }

  function* makeUnnamed(parent: UnionNode, mode: number, flags: number, context: RequestContext): Steps<Created> {
    const { member, directory } = yield* union.names.choose(parent, context);
    const made = yield* wait(member.makeTemporaryFile(directory, mode, flags, context));
    const opened = { ...made.opened };
    const attributes = copyAttributes(made.entry.attributes, {});
    const node = union.nodes.add(member.index, made.entry.node, attributes, member.index + 1);
    return { entry: union.entry({ node, attributes }), opened: union.opened(node, flags, opened) };
  }

  function* addName(node: UnionNode, newParent: UnionNode, newName: string, context: RequestContext): Steps<Entry> {
    return union.entry(yield* union.names.link(node, newParent, newName, context));
  }

  return {
    lookup(parent: NodeId, name: string, context: RequestContext): Awaitable<Entry | undefined> {
      return run(find(parent, name, context));
    },

    makeNode(parent: NodeId, name: string, mode: number, device: number, context: RequestContext): Awaitable<Entry> {
      if (isWhiteout({ mode, device })) {
        throw new FsError("EPERM", `Cannot make "${name}": 0/0 is the union's whiteout`);
      }
      return run(makeEntry(
        parent,
        name,
        context,
        (member, directory) => member.makeNode(directory, name, mode, device, context),
      ));
    },

    makeDirectory(parent: NodeId, name: string, mode: number, context: RequestContext): Awaitable<Entry> {
      return run(makeEntry(
        parent,
        name,
        context,
        (member, directory) => member.makeDirectory(directory, name, mode, context),
      ));
    },

    makeSymbolicLink(parent: NodeId, name: string, target: string, context: RequestContext): Awaitable<Entry> {
      return run(makeEntry(
        parent,
        name,
        context,
        (member, directory) => member.makeSymbolicLink(directory, name, target, context),
      ));
    },

    create(parent: NodeId, name: string, mode: number, flags: number, context: RequestContext): Awaitable<Created> {
      return run(makeAndOpen(parent, name, mode, flags, context));
    },

    makeTemporaryFile(parent: NodeId, mode: number, flags: number, context: RequestContext): Awaitable<Created> {
      return run(makeUnnamed(union.nodes.get(parent), mode, flags, context));
    },

    unlink(parent: NodeId, name: string, context: RequestContext): Awaitable<void> {
      return run(union.names.unlink(union.nodes.get(parent), name, context));
    },

    removeDirectory(parent: NodeId, name: string, context: RequestContext): Awaitable<void> {
      return run(union.names.removeDirectory(union.nodes.get(parent), name, context));
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
      return run(union.names.rename(from, name, to, newName, flags, context));
    },

    link(node: NodeId, newParent: NodeId, newName: string, context: RequestContext): Awaitable<Entry> {
      return run(addName(union.nodes.get(node), union.nodes.get(newParent), newName, context));
    },
  } satisfies FileSystem;
}
