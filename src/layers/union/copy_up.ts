/** Copies a file of one branch to another that may be changed: what has to be done before its first change. */
import type { Attributes } from "../../fs/attributes.ts";
import { EPOCH } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { Handle, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { O_RDONLY, O_RDWR, S_IFLNK, S_IFMT, S_IFREG } from "../../fs/flags.ts";
import { copyAttributes } from "../support/copy_attributes.ts";
import { isReservedAttribute, makeOpaque, temporaryName } from "./marks.ts";
import type { KeptTables } from "./kept_tables.ts";
import type { Member } from "./member.ts";
import { alone, type Place, settled, type UnionNode, type UnionNodes } from "./nodes.ts";
import type { Resolution } from "./resolution.ts";
import { asServer, atOwnWill } from "./server_context.ts";
import { type Steps, wait } from "./steps.ts";

/** How much is read and written at a time. */
const PIECE = 1 << 17;

const PERMISSIONS = 0o7777;

const ACLS = ["system.posix_acl_access", "system.posix_acl_default"];

export class CopyUp {
  /** Told, wherever a copy may be long, that it gets on; see `ConnectionInfo`. */
  noteProgress: () => void = () => {};
  readonly #members: readonly Member[];
  readonly #nodes: UnionNodes;
  readonly #resolution: Resolution;
  readonly #tables: KeptTables | undefined;

  constructor(
    members: readonly Member[],
    nodes: UnionNodes,
    resolution: Resolution,
    tables: KeptTables | undefined,
  ) {
    this.#tables = tables;
    this.#members = members;
    this.#nodes = nodes;
    this.#resolution = resolution;
  }

  /**
   * Sees to it that the file can be changed, and returns the branch that has it then: the one it is on, or the first
   * that is writable and in front of that.
   *
   * @throws FsError `EROFS` when there is none.
   */
  *toWritable(node: UnionNode, context: RequestContext): Steps<Member> {
    const at = this.#members[node.top]!;
    if (at.writable) return at;
    const target = this.#members.find(({ writable, index }) => writable && index < node.top);
    if (target === undefined) {
      throw new FsError("EROFS", `Cannot change ${node.path}: no branch in front of ${at.name} is writable`);
    }
    yield* this.to(node, target, context);
    return target;
  }

  /** Copies the file to a branch in front of its own, if it is not there already. */
  *to(node: UnionNode, target: Member, context: RequestContext): Steps<void> {
    yield* settled(node);
    if (node.parts[target.index] !== undefined) {
      // When it comes again, it may have been copied, and lack names.
      if (context.resent && !node.isDirectory) yield* this.#otherNames(node, target, context);
      return;
    }
    if (node.isDirectory) return void (yield* this.directory(node, target, context));
    placeOf(node);
    this.#tables?.intend({ action: "copy", node: node.id, member: target.index }, context);
    yield* alone(node, this.#copy(node, target, asServer(context)));
  }

  /** The directory's part on `target`, made together with those above it where they are missing. */
  *directory(node: UnionNode, target: Member, context: RequestContext): Steps<NodeId> {
    yield* settled(node);
    const existing = node.parts[target.index];
    if (existing !== undefined) return existing;
    placeOf(node);
    this.#tables?.intend({ action: "copy", node: node.id, member: target.index }, context);
    return yield* alone(node, this.#makeDirectory(node, target, context));
  }

  *#makeDirectory(node: UnionNode, target: Member, context: RequestContext): Steps<NodeId> {
    const { parent, name } = placeOf(node);
    const parentPart = yield* this.directory(parent, target, context);
    const server = asServer(context);
    const source = this.#members[node.top]!;
    const from = node.topPart;
    const attributes = copyAttributes(yield* wait(source.getAttributes(from, undefined, server)), {});
    const times = yield* this.#timesOf(target, parentPart, server);
    const made = yield* wait(target.makeDirectory(parentPart, name, attributes.mode & PERMISSIONS, server));
    const { node: part, attributes: { inode } } = made;
    try {
      yield* this.#setOwner(target, part, attributes, server);
      yield* this.#copyExtendedAttributes(source, from, target, part, server);
      yield* this.#setAttributes(target, part, attributes, server);
    } catch (error) {
      yield* wait(target.need("removeDirectory")(parentPart, name, server));
      target.forget(part);
      throw error;
    }
    yield* this.#setTimes(target, parentPart, times, server);
    this.#nodes.addPart(node, target.index, part, inode ?? part);
    this.#tables?.commitPart();
    return part;
  }

  /**
   * Sees to it that a file has one of its names on `target` too, where it has been copied under another. Returns the inner
   * directory of the name.
   */
  *name(node: UnionNode, { parent, name }: Place, target: Member, context: RequestContext): Steps<NodeId> {
    const directory = yield* this.directory(parent, target, context);
    const entry = (yield* wait(target.lookup(directory, name, context))) ??
      (yield* wait(target.link(node.parts[target.index]!, directory, name, asServer(context))));
    target.forget(entry.node);
    return directory;
  }

  /** Brings a directory and all that is in it to `target`, so that it needs the other branches no more. */
  *tree(node: UnionNode, target: Member, context: RequestContext): Steps<void> {
    yield* this.to(node, target, context);
    if (!node.isDirectory) return;
    const server = asServer(context);
    for (const name of (yield* this.#resolution.list(node, server)).keys()) {
      this.noteProgress();
      const found = yield* this.#resolution.find(node, name, server);
      if (found === undefined) continue;
      yield* this.tree(found.node, target, context);
      this.#dropUntold(found.node);
    }
    yield* makeOpaque(target, node.parts[target.index]!, server);
    node.limit = target.index + 1;
    this.#nodes.touch(node);
    this.#tables?.commitPart();
  }

  /** Lets go of a file of which the kernel was never told, and so will never say that it forgets it. */
  #dropUntold(node: UnionNode): void {
    if (this.#tables !== undefined) this.#tables.dropUntold(node.id);
    else if (!node.isTold) this.#nodes.forget(node.id);
  }

  /** The copy gets its name when it is complete, so that a crash never leaves half a file in the whole one's place. */
  *#copy(node: UnionNode, target: Member, server: RequestContext): Steps<void> {
    const { parent, name } = placeOf(node);
    const source = this.#members[node.top]!;
    const from = node.topPart;
    const parentPart = yield* this.directory(parent, target, server);
    const attributes = copyAttributes(yield* wait(source.getAttributes(from, undefined, server)), {});
    const times = yield* this.#timesOf(target, parentPart, server);
    const { plan } = this.#tables ?? {};
    const temporary = temporaryName(plan && `${plan.mark}-${node.id}`);
    const { node: part, handle } = yield* this.#make(source, from, target, parentPart, temporary, attributes, server);
    try {
      if (handle !== undefined) yield* this.#fill(source, from, target, part, handle, attributes, server);
      yield* this.#setOwner(target, part, attributes, server);
      yield* this.#copyExtendedAttributes(source, from, target, part, server);
      yield* this.#setAttributes(target, part, attributes, server);
      yield* wait(target.need("rename")(parentPart, temporary, parentPart, name, 0, server));
    } catch (error) {
      yield* wait(target.need("unlink")(parentPart, temporary, server));
      target.forget(part);
      throw error;
    }
    yield* this.#setTimes(target, parentPart, times, server);
    const { inode = part } = yield* wait(target.getAttributes(part, undefined, server));
    this.#nodes.addPart(node, target.index, part, inode);
    // Before the copy has another of its names: from then on it must not be copied again.
    this.#tables?.commitPart();
    yield* this.#otherNames(node, target, server);
  }

  /** Names that were changed behind the union meanwhile are none of the file's any more. */
  *#otherNames(node: UnionNode, target: Member, context: RequestContext): Steps<void> {
    const source = node.retired.at(-1);
    for (const place of [...node.otherPlaces]) {
      const isStill = source === undefined ||
        (yield* this.#resolution.isAt(source.node, source.member, place, context));
      if (isStill) yield* this.name(node, place, target, context);
      else node.leave(place.parent, place.name);
    }
  }

  /** An empty file is open. */
  *#make(
    source: Member,
    from: NodeId,
    target: Member,
    parent: NodeId,
    name: string,
    { mode, device = 0 }: Attributes,
    server: RequestContext,
  ): Steps<{ node: NodeId; handle?: Handle }> {
    switch (mode & S_IFMT) {
      case S_IFLNK: {
        const link = yield* wait(source.need("readLink")(from, server));
        return yield* wait(target.makeSymbolicLink(parent, name, link, server));
      }
      case S_IFREG: {
        const { entry: { node }, opened: { handle = 0 } } = yield* wait(
          target.create(parent, name, 0o600, O_RDWR, server),
        );
        return { node, handle };
      }
      default:
        return yield* wait(target.makeNode(parent, name, mode, device, server));
    }
  }

  /** Gives an open file its contents, and closes it. */
  *#fill(
    source: Member,
    from: NodeId,
    target: Member,
    to: NodeId,
    toHandle: Handle,
    { size = 0 }: Attributes,
    server: RequestContext,
  ): Steps<void> {
    try {
      yield* this.#copyContents(source, from, target, to, toHandle, size, server);
    } finally {
      yield* wait(target.release(to, toHandle, 0, atOwnWill(server)));
    }
  }

  /** Zeros are not written, so that holes stay holes. */
  *#copyContents(
    source: Member,
    from: NodeId,
    target: Member,
    to: NodeId,
    toHandle: Handle,
    size: number,
    server: RequestContext,
  ): Steps<void> {
    const { handle = 0 } = yield* wait(source.open(from, O_RDONLY, server));
    try {
      for (let offset = 0; offset < size;) {
        const data = yield* wait(source.need("read")(from, handle, offset, Math.min(PIECE, size - offset), server));
        if (data.length === 0) break;
        if (data.some((byte) => byte !== 0)) yield* writeAll(target, to, toHandle, offset, data.slice(), server);
        offset += data.length;
        this.noteProgress();
      }
      yield* wait(target.need("setAttributes")(to, { size }, toHandle, server));
    } finally {
      yield* wait(source.release(from, handle, 0, atOwnWill(server)));
    }
  }

  /** As cp(1) with -a does: what the target does not take (EPERM, EOPNOTSUPP) it has not. */
  *#copyExtendedAttributes(
    source: Member,
    from: NodeId,
    target: Member,
    to: NodeId,
    server: RequestContext,
  ): Steps<void> {
    const names = (yield* wait(source.filesystem.listExtendedAttributes?.(from, server))) ?? [];
    yield* this.#removeInherited(target, to, names, server);
    for (const name of names) {
      if (isReservedAttribute(name)) continue;
      const value = yield* wait(source.filesystem.getExtendedAttribute?.(from, name, server));
      if (value === undefined) continue;
      try {
        yield* wait(target.need("setExtendedAttribute")(to, name, value.slice(), 0, server));
      } catch (error) {
        if (!isRefused(error)) throw error;
      }
    }
  }

  /** Takes away what a copy has got from its directory's default ACL (acl(5)), and the file that was copied has not. */
  *#removeInherited(target: Member, to: NodeId, names: readonly string[], server: RequestContext): Steps<void> {
    for (const name of ACLS.filter((name) => !names.includes(name))) {
      try {
        const inherited = yield* wait(target.filesystem.getExtendedAttribute?.(to, name, server));
        if (inherited === undefined) continue;
        // It was looked whether it is there: what a server before has done of the request does not count.
        yield* wait(target.need("removeExtendedAttribute")(to, name, atOwnWill(server)));
      } catch (error) {
        if (!isRefused(error)) throw error;
      }
    }
  }

  /** Before extended attributes: a change of the owner takes the file's capabilities (security.capability). */
  *#setOwner(target: Member, node: NodeId, { uid = 0, gid = 0 }: Attributes, server: RequestContext): Steps<void> {
    try {
      yield* wait(target.need("setAttributes")(node, { uid, gid }, undefined, server));
    } catch (error) {
      // An ordinary user's copies belong to that user.
      if (!isRefused(error)) throw error;
    }
  }

  *#setAttributes(target: Member, node: NodeId, attributes: Attributes, server: RequestContext): Steps<void> {
    const { mode, atime = EPOCH, mtime = EPOCH } = attributes;
    const set = target.need("setAttributes");
    // After the owner, whose change clears setuid; and a symbolic link has no mode of its own.
    if ((mode & S_IFMT) !== S_IFLNK) yield* wait(set(node, { mode: mode & PERMISSIONS }, undefined, server));
    yield* wait(set(node, { atime, mtime }, undefined, server));
  }

  /** A copy that is made in a directory is no change of that directory. */
  *#timesOf(member: Member, directory: NodeId, server: RequestContext): Steps<Pick<Attributes, "atime" | "mtime">> {
    const { atime = EPOCH, mtime = EPOCH } = yield* wait(member.getAttributes(directory, undefined, server));
    return { atime: { ...atime }, mtime: { ...mtime } };
  }

  *#setTimes(
    member: Member,
    directory: NodeId,
    { atime = EPOCH, mtime = EPOCH }: Pick<Attributes, "atime" | "mtime">,
    server: RequestContext,
  ): Steps<void> {
    try {
      yield* wait(member.need("setAttributes")(directory, { atime, mtime }, undefined, server));
    } catch (error) {
      // Another's directory, in which an ordinary user may make files: its times are not that user's to set.
      if (!isRefused(error)) throw error;
    }
  }
}

function placeOf(node: UnionNode): Place {
  if (node.place !== undefined) return node.place;
  throw new FsError("ESTALE", `Cannot copy node ${node.id} to a branch that may be changed: it has lost its name`);
}

function* writeAll(
  member: Member,
  node: NodeId,
  handle: number,
  offset: number,
  data: Uint8Array,
  server: RequestContext,
): Steps<void> {
  const details = { cached: false, killPrivileges: false };
  for (let done = 0; done < data.length;) {
    done += yield* wait(member.need("write")(node, handle, offset + done, data.subarray(done), details, server));
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof FsError && ["EPERM", "EOPNOTSUPP", "EINVAL"].includes(error.code);
}
