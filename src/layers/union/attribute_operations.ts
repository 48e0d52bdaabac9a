/** Operations on what is known of a file: attributes, extended ones, where it comes from. */
import type { Attributes, FileSystemStatistics } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { AttributeChanges, Awaitable, FileSystem, Handle, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { isReservedAttribute } from "./marks.ts";
import type { Member } from "./member.ts";
import type { UnionNode } from "./nodes.ts";
import { run, type Steps, wait } from "./steps.ts";
import type { Union } from "./union.ts";

const ORIGIN = "user.trellis.origin";
const BRANCH = "user.trellis.branch";

export function attributeOperations(union: Union) {
  function* change(
    node: UnionNode,
    changes: AttributeChanges,
    handle: Handle | undefined,
    context: RequestContext,
  ): Steps<Attributes> {
    const member = yield* union.copyUp.toWritable(node, context);
    const inner = union.handleOn(handle, member, node.topPart);
    const set = member.need("setAttributes");
    return union.attributes(node, yield* wait(set(node.topPart, changes, inner, context)));
  }

  function* changeExtendedAttribute(
    node: UnionNode,
    name: string,
    context: RequestContext,
    change: (member: Member, part: NodeId) => Awaitable<void>,
  ): Steps<void> {
    if (isReservedAttribute(name) || name === ORIGIN || name === BRANCH) {
      throw new FsError("EPERM", `Cannot change ${name} of ${node.path}: it is the union's own`);
    }
    const member = yield* union.copyUp.toWritable(node, context);
    yield* wait(change(member, node.topPart));
  }

  function* synchronizeAll(context: RequestContext): Steps<void> {
    for (const { writable, filesystem } of union.members) {
      if (writable) yield* wait(filesystem.synchronizeFileSystem?.(1, context));
    }
  }

  return {
    getAttributes(id: NodeId, handle: Handle | undefined, context: RequestContext): Awaitable<Attributes> {
      const node = union.nodes.get(id);
      const member = union.topOf(node);
      const attributes = member.getAttributes(node.topPart, union.handleOn(handle, member, node.topPart), context);
      return attributes instanceof Promise
        ? attributes.then((inner) => union.attributes(node, inner))
        : union.attributes(node, attributes);
    },

    setAttributes(
      id: NodeId,
      changes: AttributeChanges,
      handle: Handle | undefined,
      context: RequestContext,
    ): Awaitable<Attributes> {
      return run(union.written(change(union.nodes.get(id), changes, handle, context)));
    },

    readLink(id: NodeId, context: RequestContext): Awaitable<string> {
      const node = union.nodes.get(id);
      return union.topOf(node).need("readLink")(node.topPart, context);
    },

    getStatistics(_node: NodeId, context: RequestContext): Awaitable<FileSystemStatistics> {
      const member = union.members.find(({ writable }) => writable) ?? union.members[0]!;
      return member.need("getStatistics")(1, context);
    },

    setExtendedAttribute(
      node: NodeId,
      name: string,
      value: Uint8Array,
      flags: number,
      context: RequestContext,
    ): Awaitable<void> {
      return run(union.written(changeExtendedAttribute(
        union.nodes.get(node),
        name,
        context,
        (member, part) => member.need("setExtendedAttribute")(part, name, value, flags, context),
      )));
    },

    removeExtendedAttribute(node: NodeId, name: string, context: RequestContext): Awaitable<void> {
      return run(union.written(changeExtendedAttribute(
        union.nodes.get(node),
        name,
        context,
        (member, part) => member.need("removeExtendedAttribute")(part, name, context),
      )));
    },

    getExtendedAttribute(id: NodeId, name: string, context: RequestContext): Awaitable<Uint8Array | undefined> {
      const node = union.nodes.get(id);
      const member = union.topOf(node);
      if (name === ORIGIN) return new TextEncoder().encode(member.name + (node.path === "/" ? "" : node.path));
      if (name === BRANCH) return new TextEncoder().encode(String(member.index));
      if (isReservedAttribute(name)) return undefined;
      return member.need("getExtendedAttribute")(node.topPart, name, context);
    },

    listExtendedAttributes(id: NodeId, context: RequestContext): Awaitable<readonly string[]> {
      const node = union.nodes.get(id);
      const names = union.topOf(node).need("listExtendedAttributes")(node.topPart, context);
      const visible = (all: readonly string[]) => all.filter((name) => !isReservedAttribute(name));
      return names instanceof Promise ? names.then(visible) : visible(names);
    },

    access(id: NodeId, mask: number, context: RequestContext): Awaitable<void> {
      const node = union.nodes.get(id);
      return union.topOf(node).filesystem.access?.(node.topPart, mask, context);
    },

    synchronizeFileSystem(_node: NodeId, context: RequestContext): Awaitable<void> {
      return run(synchronizeAll(context));
    },
  } satisfies FileSystem;
}
