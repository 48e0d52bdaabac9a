/** What changes names of a union: making, removing, renaming, linking; with whiteouts where a branch below has the name. */
import { type Entry, EPOCH } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { NodeId, RequestContext } from "../../fs/filesystem.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../fs/flags.ts";
import { copyAttributes } from "../support/copy_attributes.ts";
import type { CopyUp } from "./copy_up.ts";
import { isReservedName, makeOpaque, makeWhiteout } from "./marks.ts";
import type { Member } from "./member.ts";
import type { UnionNode, UnionNodes } from "./nodes.ts";
import type { Candidate, CreatePolicy } from "./policies.ts";
import type { Finding, Found, Resolution } from "./resolution.ts";
import { asServer } from "./server_context.ts";
import { type Steps, wait } from "./steps.ts";

export interface NamesOptions {
  readonly members: readonly Member[];
  readonly nodes: UnionNodes;
  readonly resolution: Resolution;
  readonly copyUp: CopyUp;
  readonly policy: CreatePolicy;
  readonly random: () => number;
}

/** Makes something under a name on a branch: the inner directory, and what came of it. */
export type Make<T> = (member: Member, directory: NodeId) => Steps<T>;

export class Names {
  readonly #options: NamesOptions;

  constructor(options: NamesOptions) {
    this.#options = options;
  }

  /** Makes a new file or directory where the policy says. @throws FsError `EEXIST`, `EROFS` */
  *make<T extends { entry: Entry }>(
    parent: UnionNode,
    name: string,
    context: RequestContext,
    action: Make<T>,
  ): Steps<{ found: Found; made: T }> {
    checkName(name);
    const { resolution, copyUp } = this.#options;
    const findings = yield* resolution.survey(parent, name, context);
    if (isSeen(firstOf(findings))) throw new FsError("EEXIST", `Cannot make "${name}" in ${parent.path}: it is there`);
    const member = yield* this.#choose(parent, name, findings, context);
    const directory = yield* copyUp.directory(parent, member, context);
    yield* this.#removeWhiteouts(parent, name, findings, member, context);
    const made = yield* action(member, directory);
    const hidden = findings.indexOf("directory", member.index + 1) >= 0;
    return { found: yield* this.#adopt(parent, name, member, made.entry, hidden, context), made };
  }

  /** Where a file is made that has no name yet. */
  *choose(parent: UnionNode, context: RequestContext): Steps<{ member: Member; directory: NodeId }> {
    const member = yield* this.#choose(parent, "", [], context);
    return { member, directory: yield* this.#options.copyUp.directory(parent, member, context) };
  }

  /** Takes a name away that is no directory's. */
  *unlink(parent: UnionNode, name: string, context: RequestContext): Steps<void> {
    const { resolution } = this.#options;
    const found = yield* this.#need(parent, name, context);
    if (found.isDirectory) throw new FsError("EISDIR", `Cannot unlink ${found.path}: it is a directory`);
    const findings = yield* resolution.survey(parent, name, context);
    const top = this.#options.members[findings.indexOf("file")]!;
    if (top.writable) yield* wait(top.need("unlink")(parent.parts[top.index]!, name, context));
    yield* this.#hide(parent, name, context);
    found.leave(parent, name);
  }

  /** @throws FsError `ENOTEMPTY` */
  *removeDirectory(parent: UnionNode, name: string, context: RequestContext): Steps<void> {
    const node = yield* this.#need(parent, name, context);
    if (!node.isDirectory) throw new FsError("ENOTDIR", `Cannot remove ${node.path} as a directory: it is none`);
    yield* this.#removeEmpty(node, parent, name, context);
    yield* this.#hide(parent, name, context);
    node.leave(parent, name);
  }

  *link(node: UnionNode, parent: UnionNode, name: string, context: RequestContext): Steps<Found> {
    checkName(name);
    const { resolution, copyUp } = this.#options;
    const findings = yield* resolution.survey(parent, name, context);
    if (isSeen(firstOf(findings))) throw new FsError("EEXIST", `Cannot link "${name}" in ${parent.path}: it is there`);
    const member = yield* this.#bringTo(node, [[parent, findings]], context);
    const directory = yield* copyUp.directory(parent, member, context);
    yield* this.#removeWhiteouts(parent, name, findings, member, context);
    const entry = yield* wait(member.link(node.parts[member.index]!, directory, name, context));
    const attributes = copyAttributes(entry.attributes, {});
    // The node has a part on this branch already, whose lookup is counted.
    member.forget(entry.node);
    node.moveTo(parent, name);
    return { node, attributes };
  }

  *rename(
    parent: UnionNode,
    name: string,
    newParent: UnionNode,
    newName: string,
    flags: number,
    context: RequestContext,
  ): Steps<void> {
    checkName(newName);
    if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0) {
      throw new FsError("EINVAL", `Cannot rename in a union with flags ${flags}: it makes its whiteouts itself`);
    }
    const source = yield* this.#need(parent, name, context);
    const target = (yield* this.#options.resolution.find(newParent, newName, context))?.node;
    if (target !== undefined && (flags & RENAME_NOREPLACE) !== 0) {
      throw new FsError("EEXIST", `Cannot rename to ${target.path}: it is there`);
    }
    if (flags & RENAME_EXCHANGE) {
      return yield* this.#exchange(source, target, parent, name, newParent, newName, context);
    }
    if (source === target) return;
    yield* this.#checkReplaces(source, target, context);
    yield* this.#move(source, target, parent, name, newParent, newName, context);
  }

  *#need(parent: UnionNode, name: string, context: RequestContext): Steps<UnionNode> {
    const found = yield* this.#options.resolution.find(parent, name, context);
    if (found === undefined) throw new FsError("ENOENT", `There is no "${name}" in ${parent.path}`);
    return found.node;
  }

  *#checkReplaces(source: UnionNode, target: UnionNode | undefined, context: RequestContext): Steps<void> {
    if (target === undefined) return;
    if (source.isDirectory && !target.isDirectory) throw new FsError("ENOTDIR", `${target.path} is no directory`);
    if (!source.isDirectory && target.isDirectory) throw new FsError("EISDIR", `${target.path} is a directory`);
    if (target.isDirectory) yield* this.#checkEmpty(target, context);
  }

  *#checkEmpty(directory: UnionNode, context: RequestContext): Steps<void> {
    const { size } = yield* this.#options.resolution.list(directory, context);
    if (size > 0) throw new FsError("ENOTEMPTY", `${directory.path} is not empty`);
  }

  *#move(
    source: UnionNode,
    target: UnionNode | undefined,
    parent: UnionNode,
    name: string,
    newParent: UnionNode,
    newName: string,
    context: RequestContext,
  ): Steps<void> {
    const { resolution, copyUp, members } = this.#options;
    const findings = yield* resolution.survey(newParent, newName, context);
    const member = yield* this.#bringTo(source, [[newParent, findings]], context);
    const directory = yield* copyUp.directory(newParent, member, context);
    // What is in front of the new place, or in the way of the rename there, goes first.
    if (target?.isDirectory) yield* this.#removeEmpty(target, newParent, newName, context);
    yield* this.#removeWhiteouts(newParent, newName, findings, member, context);
    for (const front of members.slice(0, member.index)) {
      if (findings[front.index] !== "file") continue;
      yield* wait(front.need("unlink")(newParent.parts[front.index]!, newName, context));
    }
    const hidesDirectory = findings.indexOf("directory", member.index + 1) >= 0;
    if (source.isDirectory && hidesDirectory) {
      yield* makeOpaque(member, source.parts[member.index]!, asServer(context));
      source.limit = member.index + 1;
    }
    const from = yield* copyUp.name(source, { parent, name }, member, context);
    yield* wait(member.need("rename")(from, name, directory, newName, 0, context));
    yield* this.#hide(parent, name, context);
    target?.leave(newParent, newName);
    source.leave(parent, name);
    source.moveTo(newParent, newName);
  }

  *#exchange(
    source: UnionNode,
    target: UnionNode | undefined,
    parent: UnionNode,
    name: string,
    newParent: UnionNode,
    newName: string,
    context: RequestContext,
  ): Steps<void> {
    if (target === undefined) throw new FsError("ENOENT", `There is no "${newName}" in ${newParent.path}`);
    const { resolution, copyUp } = this.#options;
    const old = yield* resolution.survey(parent, name, context);
    const findings = yield* resolution.survey(newParent, newName, context);
    const places: [UnionNode, Finding[]][] = [[parent, old], [newParent, findings]];
    const member = yield* this.#bringTo(source, places, context, target);
    yield* this.#bringTo(target, places, context, source);
    for (const node of [source, target]) {
      if (!node.isDirectory) continue;
      yield* makeOpaque(member, node.parts[member.index]!, asServer(context));
      node.limit = member.index + 1;
    }
    const one = yield* copyUp.name(source, { parent, name }, member, context);
    const other = yield* copyUp.name(target, { parent: newParent, name: newName }, member, context);
    yield* wait(member.need("rename")(one, name, other, newName, RENAME_EXCHANGE, context));
    source.leave(parent, name);
    target.leave(newParent, newName);
    source.moveTo(newParent, newName);
    target.moveTo(parent, name);
  }

  /**
   * The branch on which a new name can be seen: writable, and not behind a branch that has the name and keeps it.
   */
  #visible(parent: UnionNode, findings: readonly Finding[]): Member[] {
    const kept = this.#options.members.findIndex(({ index, writable }) =>
      !writable && (findings[index] ?? "nothing") !== "nothing"
    );
    const end = Math.min(parent.limit, kept < 0 ? Infinity : kept);
    return this.#options.members.filter(({ index, writable }) => writable && index < end);
  }

  *#changeOf(member: Member, directory: NodeId, context: RequestContext): Steps<number> {
    const { mtime = EPOCH } = yield* wait(member.getAttributes(directory, undefined, context));
    return mtime.seconds + mtime.nanoseconds / 1e9;
  }

  *#choose(
    parent: UnionNode,
    name: string,
    findings: readonly Finding[],
    context: RequestContext,
  ): Steps<Member> {
    const { policy, random, members } = this.#options;
    const candidates: Candidate[] = [];
    for (const { index, filesystem } of this.#visible(parent, findings)) {
      const statistics = yield* wait(filesystem.getStatistics?.(parent.parts[index] ?? 1, context));
      const { fragmentSize = statistics?.blockSize ?? 1, blocks = 0, blocksFree = 0, blocksAvailable = 0 } =
        statistics ?? {};
      const free = blocksAvailable * fragmentSize;
      const used = (blocks - blocksFree) * fragmentSize;
      const directory = parent.parts[index];
      const changed = directory === undefined ? 0 : yield* this.#changeOf(members[index]!, directory, context);
      candidates.push({ index, hasParent: directory !== undefined, free, used, changed });
    }
    const chosen = policy(candidates, random);
    if (chosen !== undefined) return members[chosen.index]!;
    const why = candidates.length === 0 ? "no branch that would show it is writable" : "the policy chooses no branch";
    throw new FsError("EROFS", `Cannot make "${name}" in ${parent.path}: ${why}`);
  }

  /** Brings a file to a branch where it can have the places; a directory with all that is in it. */
  *#bringTo(
    node: UnionNode,
    places: readonly (readonly [UnionNode, readonly Finding[]])[],
    context: RequestContext,
    beside?: UnionNode,
  ): Steps<Member> {
    const { copyUp } = this.#options;
    const top = Math.min(node.top, beside?.top ?? Infinity);
    const fitting = places.map(([parent, findings]) => this.#visible(parent, findings))
      .reduce((all, some) => all.filter((member) => some.includes(member)))
      .filter(({ index }) => index <= top);
    const member = fitting.find(({ index }) => index === top) ?? fitting[0];
    if (member === undefined) {
      throw new FsError("EROFS", `Cannot move or link ${node.path}: no branch in front of its own is writable`);
    }
    const isWhole = node.parts.every((part, index) =>
      part === undefined || index === member.index || index >= node.limit
    );
    if (!isWhole || node.top !== member.index) yield* copyUp.tree(node, member, context);
    return member;
  }

  /** Lets a branch's whiteouts of the name go, from the first branch to `last`: what is made there is to be seen. */
  *#removeWhiteouts(
    parent: UnionNode,
    name: string,
    findings: readonly Finding[],
    last: Member,
    context: RequestContext,
  ): Steps<void> {
    for (const member of this.#options.members.slice(0, last.index + 1)) {
      if (findings[member.index] !== "whiteout") continue;
      yield* wait(member.need("unlink")(parent.parts[member.index]!, name, asServer(context)));
    }
  }

  /** Puts a whiteout before what branches still show under the name. */
  *#hide(parent: UnionNode, name: string, context: RequestContext): Steps<void> {
    const { resolution, members, copyUp } = this.#options;
    const findings = yield* resolution.survey(parent, name, context);
    const first = findings.findIndex((finding) => finding !== "nothing");
    if (first < 0 || !isSeen(findings[first])) return;
    const member = members.find(({ index, writable }) => writable && index < first);
    if (member === undefined) {
      throw new FsError("EROFS", `Cannot remove "${name}" in ${parent.path}: no branch in front of it is writable`);
    }
    const directory = yield* copyUp.directory(parent, member, context);
    yield* makeWhiteout(member, directory, name, asServer(context));
  }

  /** Removes a directory that shows nothing from the branches that may be changed, with the whiteouts in it. */
  *#removeEmpty(node: UnionNode, parent: UnionNode, name: string, context: RequestContext): Steps<void> {
    const { resolution, members, nodes } = this.#options;
    yield* this.#checkEmpty(node, context);
    for (const [member, part] of [...resolution.partsOf(node)]) {
      if (!members[member.index]!.writable) continue;
      yield* this.#removeMarks(member, part, context);
      yield* wait(member.need("removeDirectory")(parent.parts[member.index]!, name, context));
      if (node.parts.filter((one) => one !== undefined).length > 1) nodes.removePart(node, member.index);
    }
  }

  /** Whiteouts, and copies that a crash left behind. */
  *#removeMarks(member: Member, directory: NodeId, context: RequestContext): Steps<void> {
    const server = asServer(context);
    for (const name of yield* this.#options.resolution.listMarks(member, directory, server)) {
      yield* wait(member.need("unlink")(directory, name, server));
    }
  }

  /** The file that was made becomes the union's. */
  *#adopt(
    parent: UnionNode,
    name: string,
    member: Member,
    entry: Entry,
    hidden: boolean,
    context: RequestContext,
  ): Steps<Found> {
    const attributes = copyAttributes(entry.attributes, {});
    const node = this.#options.nodes.add(member.index, entry.node, attributes, member.index + 1);
    node.moveTo(parent, name);
    if (node.isDirectory) {
      if (hidden) yield* makeOpaque(member, node.topPart, asServer(context));
      else node.limit = parent.limit;
    }
    return { node, attributes };
  }
}

function firstOf(findings: readonly Finding[]): Finding | undefined {
  return findings.find((finding) => finding !== "nothing");
}

function isSeen(finding: Finding | undefined): boolean {
  return finding === "file" || finding === "directory";
}

function checkName(name: string): void {
  if (isReservedName(name)) throw new FsError("EPERM", `Cannot use the name "${name}": it is for the union itself`);
}
