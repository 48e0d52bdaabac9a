/** What a name of a union means: which branches have it, and what of that is seen. */
import type { Attributes } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { DirectoryEntry, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { S_IFCHR, S_IFDIR, S_IFMT } from "../../fs/flags.ts";
import { copyAttributes } from "../support/copy_attributes.ts";
import { isOpaque, isReservedName, isWhiteout } from "./marks.ts";
import type { Member } from "./member.ts";
import type { Place, UnionNode, UnionNodes } from "./nodes.ts";
import { asServer, atOwnWill } from "./server_context.ts";
import { type Steps, wait } from "./steps.ts";

/** What a branch has under a name. */
export type Finding = "nothing" | "whiteout" | "directory" | "file";

/** Whether the first that a branch has under a name is seen there. */
export function isSeen(finding: Finding | undefined): boolean {
  return finding === "file" || finding === "directory";
}

/** A file of the union, and its attributes as its branch gave them. */
export interface Found {
  readonly node: UnionNode;
  readonly attributes: Attributes;
  /** It was copied to another branch, where it has not got this name yet. */
  readonly lacksName?: boolean;
}

/** A part that was found, with one lookup that is the finder's. */
interface Part {
  readonly member: Member;
  readonly node: NodeId;
  readonly attributes: Attributes;
}

export class Resolution {
  /**
   * Whether the kernel asks nobody but itself who may open a directory (`posix-acl`): then it may be read by who has it open,
   * whatever its mode is by now.
   */
  kernelChecks = false;
  readonly #members: readonly Member[];
  readonly #nodes: UnionNodes;

  constructor(members: readonly Member[], nodes: UnionNodes) {
    this.#members = members;
    this.#nodes = nodes;
  }

  /** The branches that show something of a directory, with the inner node of each, in their order. */
  *partsOf(directory: UnionNode): Generator<[Member, NodeId], void, undefined> {
    for (const member of this.#members) {
      if (member.index >= directory.limit) return;
      const part = directory.parts[member.index];
      if (part !== undefined) yield [member, part];
    }
  }

  /** The file called `name`; undefined when there is none, or a whiteout hides it. */
  *find(parent: UnionNode, name: string, context: RequestContext): Steps<Found | undefined> {
    if (isReservedName(name)) return undefined;
    const { parts, limit } = yield* this.#findParts(parent, name, context);
    const [first, ...others] = parts;
    if (first === undefined) return undefined;
    yield* this.#letGoOfRemoved(first, context);
    const found = this.#adopt(first, limit);
    for (const other of others) this.#take(found, other);
    found.limit = Math.max(found.limit, limit);
    found.moveTo(parent, name);
    if (found.top === first.member.index) return { node: found, attributes: first.attributes };
    // Another name of a file that was copied up: its copy is what counts.
    const copy = this.#members[found.top]!;
    const attributes = copyAttributes(yield* wait(copy.getAttributes(found.topPart, undefined, context)), {});
    return { node: found, attributes, lacksName: true };
  }

  /** What each branch has under `name`, by the branch's index. Nothing where the directory has no part that shows. */
  *survey(parent: UnionNode, name: string, context: RequestContext): Steps<Finding[]> {
    const findings: Finding[] = this.#members.map(() => "nothing");
    for (const [member, directory] of this.partsOf(parent)) {
      findings[member.index] = yield* this.look(member, directory, name, context);
    }
    return findings;
  }

  /** What one branch has under `name`. */
  *look(member: Member, directory: NodeId, name: string, context: RequestContext): Steps<Finding> {
    const entry = yield* wait(member.lookup(directory, name, asServer(context)));
    if (entry === undefined) return "nothing";
    const { node, attributes } = entry;
    const isDirectory = (attributes.mode & S_IFMT) === S_IFDIR;
    const finding = isWhiteout(attributes) ? "whiteout" : isDirectory ? "directory" : "file";
    member.forget(node);
    return finding;
  }

  /** Whether a branch has under a name what it had when that was decided: it may be done in part when it comes again. */
  *isStill(
    finding: Finding,
    member: Member,
    directory: NodeId,
    name: string,
    context: RequestContext,
  ): Steps<boolean> {
    if (!context.resent) return true;
    return (yield* this.look(member, directory, name, context)) === finding;
  }

  /** Whether a branch has an inner node under this name. */
  *isAt(part: NodeId, member: Member, { parent, name }: Place, context: RequestContext): Steps<boolean> {
    const directory = parent.parts[member.index];
    if (directory === undefined) return false;
    const entry = yield* wait(member.lookup(directory, name, asServer(context)));
    if (entry === undefined) return false;
    const { node } = entry;
    member.forget(node);
    return node === part;
  }

  /** Every name in a directory, once, as the first branch that has it shows it. */
  *list(directory: UnionNode, context: RequestContext): Steps<Map<string, DirectoryEntry>> {
    const seen = new Map<string, DirectoryEntry | undefined>();
    for (const [member, part] of this.partsOf(directory)) {
      const asker = this.kernelChecks ? asServer(context) : askerOf(member, directory, context);
      for (const entry of yield* this.#listPart(member, part, asker)) {
        const { name } = entry;
        if (name === "." || name === ".." || isReservedName(name) || seen.has(name)) continue;
        const hidden = (entry.mode & S_IFMT) === S_IFCHR && (yield* this.#isWhiteout(member, part, name, asker));
        seen.set(name, hidden ? undefined : { ...entry, inode: this.#nodes.numberOf(member.index, entry.inode) });
      }
    }
    for (const [name, entry] of seen) {
      if (entry === undefined) seen.delete(name);
    }
    return seen as Map<string, DirectoryEntry>;
  }

  /** The names on one branch's part that are none of the union: whiteouts, and copies that a crash left behind. */
  *listMarks(member: Member, part: NodeId, context: RequestContext): Steps<string[]> {
    const marks: string[] = [];
    for (const { name, mode } of yield* this.#listPart(member, part, context)) {
      const isMark = isReservedName(name) ||
        (mode & S_IFMT) === S_IFCHR && (yield* this.#isWhiteout(member, part, name, context));
      if (isMark) marks.push(name);
    }
    return marks;
  }

  /** All entries of one branch's part, read to the end. */
  *#listPart(member: Member, part: NodeId, context: RequestContext): Steps<DirectoryEntry[]> {
    const { handle = 0 } = (yield* wait(member.filesystem.openDirectory?.(part, 0, context))) ?? {};
    try {
      const all: DirectoryEntry[] = [];
      for (let offset = 0;;) {
        const before = all.length;
        const entries = yield* wait(member.readDirectory(part, handle, offset, context));
        yield* collect(entries, all);
        if (all.length === before) return all;
        offset = all.at(-1)!.offset;
      }
    } finally {
      yield* wait(member.filesystem.releaseDirectory?.(part, handle, 0, atOwnWill(context)));
    }
  }

  *#isWhiteout(member: Member, directory: NodeId, name: string, context: RequestContext): Steps<boolean> {
    const entry = yield* wait(member.lookup(directory, name, context));
    if (entry === undefined) return false;
    member.forget(entry.node);
    return isWhiteout(entry.attributes);
  }

  /** The parts that make up a file, from the first branch on until something hides the rest. */
  *#findParts(parent: UnionNode, name: string, context: RequestContext): Steps<{ parts: Part[]; limit: number }> {
    const parts: Part[] = [];
    for (const [member, directory] of this.partsOf(parent)) {
      const entry = yield* wait(member.lookup(directory, name, askerOf(member, parent, context)));
      if (entry === undefined) continue;
      const part = { member, node: entry.node, attributes: copyAttributes(entry.attributes, {}) };
      const isDirectory = (part.attributes.mode & S_IFMT) === S_IFDIR;
      if (isWhiteout(part.attributes) || parts.length > 0 && !isDirectory) {
        member.forget(part.node);
        return { parts, limit: member.index };
      }
      parts.push(part);
      const isLast = !isDirectory || member.index + 1 >= parent.limit;
      if (isLast || (yield* isOpaque(member, part.node, asServer(context)))) return { parts, limit: member.index + 1 };
    }
    return { parts, limit: parent.limit };
  }

  #adopt({ member, node, attributes }: Part, limit: number): UnionNode {
    const known = this.#nodes.find(member.index, node);
    if (known === undefined || known.type !== (attributes.mode & S_IFMT)) {
      return this.#nodes.add(member.index, node, attributes, limit);
    }
    member.forget(node);
    return known;
  }

  /**
   * What is known of a file may be of parts in front of the first one that there is: a directory's that somebody has
   * removed on its branch, or a copy that is gone there, so that what it was copied from is a file of its own again.
   */
  *#letGoOfRemoved({ member, node: part }: Part, context: RequestContext): Steps<void> {
    const known = this.#nodes.find(member.index, part);
    if (known === undefined || known.top >= member.index) return;
    if (known.isDirectory) return this.#nodes.removePartsBefore(known, member.index);
    if (yield* this.#isRemoved(known, context)) this.#nodes.removeRetired(known, member.index, part);
  }

  *#isRemoved({ top, topPart }: UnionNode, context: RequestContext): Steps<boolean> {
    try {
      const { links } = yield* wait(this.#members[top]!.getAttributes(topPart, undefined, asServer(context)));
      return links === 0;
    } catch (error) {
      if (error instanceof FsError && ["ENOENT", "ESTALE"].includes(error.code)) return true;
      throw error;
    }
  }

  /** A further part of a directory. */
  #take(directory: UnionNode, { member, node }: Part): void {
    if (directory.parts[member.index] === node) return member.forget(node);
    if (directory.parts[member.index] !== undefined) this.#nodes.removePart(directory, member.index);
    this.#nodes.addPart(directory, member.index, node, undefined);
  }
}

/**
 * In whose name a branch is asked about a directory: who may look into it is said by its first part, whose owner and mode
 * the union shows, and not by those behind.
 */
function askerOf(member: Member, directory: UnionNode, context: RequestContext): RequestContext {
  return member.index === directory.top ? context : asServer(context);
}

function* collect(
  entries: Iterable<DirectoryEntry> | AsyncIterable<DirectoryEntry>,
  into: DirectoryEntry[],
): Steps<void> {
  if (Symbol.iterator in entries) {
    for (const entry of entries) into.push({ ...entry });
    return;
  }
  const iterator = entries[Symbol.asyncIterator]();
  for (;;) {
    const next = yield* wait(iterator.next());
    if (next.done) return;
    into.push({ ...next.value });
  }
}
