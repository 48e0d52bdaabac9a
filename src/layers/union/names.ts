/** What changes names of a union: making, removing, renaming, linking; with whiteouts where a branch below has the name. */
import { type Entry, EPOCH } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { NodeId, Opened, RequestContext } from "../../fs/filesystem.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../fs/flags.ts";
import { copyAttributes } from "../support/copy_attributes.ts";
import type { CopyUp } from "./copy_up.ts";
import { isReservedName, makeOpaque, makeWhiteout } from "./marks.ts";
import type { KeptTables } from "./kept_tables.ts";
import { makeOn } from "./making.ts";
import type { Member } from "./member.ts";
import { alone, type Place, settled, type UnionNode, type UnionNodes } from "./nodes.ts";
import type { Making, PlannedPlace, Step } from "./plans.ts";
import type { Candidate, CreatePolicy } from "./policies.ts";
import { type Finding, type Found, isSeen, type Resolution } from "./resolution.ts";
import { asServer, atOwnWill } from "./server_context.ts";
import { deferred, type Steps, wait } from "./steps.ts";
import { Whiteouts } from "./whiteouts.ts";

export interface NamesOptions {
  readonly members: readonly Member[];
  readonly nodes: UnionNodes;
  readonly resolution: Resolution;
  readonly copyUp: CopyUp;
  readonly policy: CreatePolicy;
  readonly random: () => number;
  /** What outlives the server. */
  readonly tables: KeptTables | undefined;
}

type StepOf<Action extends Step["action"]> = Extract<Step, { action: Action }>;

/** What comes of a step. */
type Done<Action> = Action extends "make" ? Made : Action extends "link" ? Found : void;

/** What was made under a name; with `opened` for a file that was opened by the same call. */
export interface Made {
  readonly found: Found;
  readonly opened?: Opened;
}

export class Names {
  readonly #options: NamesOptions;
  readonly #whiteouts: Whiteouts;

  constructor(options: NamesOptions) {
    const { members, resolution, copyUp, tables } = options;
    this.#options = options;
    this.#whiteouts = new Whiteouts(members, resolution, copyUp, tables);
  }

  /** Makes a new file or directory where the policy says. @throws FsError `EEXIST`, `EROFS` */
  *make(parent: UnionNode, name: string, making: Making, context: RequestContext): Steps<Made> {
    checkName(name);
    const findings = yield* this.#options.resolution.survey(parent, name, context);
    if (isSeen(firstOf(findings))) throw new FsError("EEXIST", `Cannot make "${name}" in ${parent.path}: it is there`);
    const { index: member } = yield* this.#choose(parent, name, findings, context);
    return yield* this.#do({ action: "make", place: [parent.id, name], making, member, findings }, context);
  }

  *#makeAt({ place, making, member: index, findings }: StepOf<"make">, context: RequestContext): Steps<Made> {
    const { parent, name } = this.#placeAt(place);
    const member = this.#options.members[index]!;
    const directory = yield* this.#options.copyUp.directory(parent, member, context);
    const { entry, opened } = yield* this.#whiteouts.uncovered(
      { parent, name },
      findings,
      member,
      makeOn(member, directory, name, making, context),
      context,
    );
    const hidden = findings.indexOf("directory", index + 1) >= 0;
    return { found: yield* this.#adopt(parent, name, member, entry, hidden, context), ...opened && { opened } };
  }

  /** Where a file is made that has no name yet. */
  *choose(parent: UnionNode, context: RequestContext): Steps<{ member: Member; directory: NodeId }> {
    const member = yield* this.#choose(parent, "", [], context);
    return { member, directory: yield* this.#options.copyUp.directory(parent, member, context) };
  }

  /** Takes a name away that is no directory's. */
  *unlink(parent: UnionNode, name: string, context: RequestContext): Steps<void> {
    const found = yield* this.#need(parent, name, context);
    if (found.isDirectory) throw new FsError("EISDIR", `Cannot unlink ${found.path}: it is a directory`);
    yield* settled(found);
    yield* alone(found, this.#unlinkFile(found, parent, name, context));
  }

  *#unlinkFile(file: UnionNode, parent: UnionNode, name: string, context: RequestContext): Steps<void> {
    const findings = yield* this.#options.resolution.survey(parent, name, context);
    const member = findings.indexOf("file");
    yield* this.#do({ action: "unlink", place: [parent.id, name], node: file.id, member }, context);
  }

  *#unlinkAt({ place, node, member }: StepOf<"unlink">, context: RequestContext): Steps<void> {
    const { parent, name } = this.#placeAt(place);
    const top = this.#options.members[member]!;
    const isThere = top.writable &&
      (yield* this.#options.resolution.isStill("file", top, parent.parts[member]!, name, context));
    const unlinking = deferred(() => isThere ? top.need("unlink")(parent.parts[member]!, name, context) : undefined);
    const goes = (index: number) => isThere && index === member;
    yield* this.#whiteouts.hidden({ parent, name }, goes, unlinking, context);
    const { nodes } = this.#options;
    nodes.get(node).leave(parent, name);
  }

  /** @throws FsError `ENOTEMPTY` */
  *removeDirectory(parent: UnionNode, name: string, context: RequestContext): Steps<void> {
    const node = yield* this.#need(parent, name, context);
    if (!node.isDirectory) throw new FsError("ENOTDIR", `Cannot remove ${node.path} as a directory: it is none`);
    yield* this.#checkEmpty(node, context);
    yield* this.#do({ action: "removeDirectory", place: [parent.id, name], node: node.id }, context);
  }

  *#removeDirectoryAt({ place, node: id }: StepOf<"removeDirectory">, context: RequestContext): Steps<void> {
    const { nodes, members } = this.#options;
    const { parent, name } = this.#placeAt(place);
    const node = nodes.get(id);
    const goes = (index: number) => members[index]!.writable && node.parts[index] !== undefined;
    yield* this.#whiteouts.hidden({ parent, name }, goes, this.#removeEmpty(node, parent, name, context), context);
    node.leave(parent, name);
    nodes.touch(node);
  }

  *link(node: UnionNode, parent: UnionNode, name: string, context: RequestContext): Steps<Found> {
    checkName(name);
    const findings = yield* this.#options.resolution.survey(parent, name, context);
    if (isSeen(firstOf(findings))) throw new FsError("EEXIST", `Cannot link "${name}" in ${parent.path}: it is there`);
    const { index: member } = this.#fitting(node, [[parent, findings]]);
    return yield* this.#do({ action: "link", place: [parent.id, name], node: node.id, member, findings }, context);
  }

  *#linkAt({ place, node: id, member: index, findings }: StepOf<"link">, context: RequestContext): Steps<Found> {
    const { members, copyUp, nodes } = this.#options;
    const { parent, name } = this.#placeAt(place);
    const [node, member] = [nodes.get(id), members[index]!];
    yield* this.#bring(node, member, context);
    const directory = yield* copyUp.directory(parent, member, context);
    const linking = deferred(() => member.link(node.parts[member.index]!, directory, name, context));
    const entry = yield* this.#whiteouts.uncovered({ parent, name }, findings, member, linking, context);
    const attributes = copyAttributes(entry.attributes, {});
    // The node has a part on this branch already, whose lookup is counted.
    member.forget(entry.node);
    node.moveTo(parent, name);
    nodes.touch(node);
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
    const place: PlannedPlace = [parent.id, name];
    const newPlace: PlannedPlace = [newParent.id, newName];
    const findings = yield* this.#options.resolution.survey(newParent, newName, context);
    if (flags & RENAME_EXCHANGE) {
      if (target === undefined) throw new FsError("ENOENT", `There is no "${newName}" in ${newParent.path}`);
      const old = yield* this.#options.resolution.survey(parent, name, context);
      const places: [UnionNode, Finding[]][] = [[parent, old], [newParent, findings]];
      const { index: member } = this.#fitting(source, places, target);
      const nodes = { node: source.id, other: target.id };
      return yield* this.#do({ action: "exchange", place, newPlace, ...nodes, member }, context);
    }
    if (source === target) return;
    yield* this.#checkReplaces(source, target, context);
    const { index: member } = this.#fitting(source, [[newParent, findings]]);
    const nodes = { node: source.id, replaced: target?.id ?? null };
    yield* this.#do({ action: "move", place, newPlace, ...nodes, member, findings }, context);
  }

  /** Does what was decided: for a request, or in the place of a server that ended in the midst of it. */
  *#do<Action extends Step["action"]>(step: StepOf<Action>, context: RequestContext): Steps<Done<Action>> {
    this.#options.tables?.intend(step, context);
    return (yield* this.finish(step, context)) as Done<Action>;
  }

  /** Does what was decided, which may have been done in part. */
  *finish(step: Step, context: RequestContext): Steps<Made | Found | void> {
    const { nodes, members, copyUp } = this.#options;
    if (context.resent) yield* this.#lookAgain(step, context);
    switch (step.action) {
      case "make":
        return yield* this.#makeAt(step, context);
      case "unlink":
        return yield* this.#unlinkAt(step, context);
      case "removeDirectory":
        return yield* this.#removeDirectoryAt(step, context);
      case "link":
        return yield* this.#linkAt(step, context);
      case "move":
        return yield* this.#moveAt(step, context);
      case "exchange":
        return yield* this.#exchangeAt(step, context);
      case "copy":
        return yield* copyUp.to(nodes.get(step.node), members[step.member]!, context);
    }
  }

  /**
   * A branch that finds files by their names has let go of one that is about to be moved or removed; when its server ends
   * then, it is found again by who looks.
   */
  *#lookAgain(step: Step, context: RequestContext): Steps<void> {
    const places = [..."place" in step ? [step.place] : [], ..."newPlace" in step ? [step.newPlace] : []];
    for (const place of places) {
      const { parent, name } = this.#placeAt(place);
      yield* this.#options.resolution.survey(parent, name, context);
    }
  }

  #placeAt([parent, name]: PlannedPlace): Place {
    return { parent: this.#options.nodes.get(parent), name };
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
    // Who may remove it need not be able to read it.
    const { size } = yield* this.#options.resolution.list(directory, asServer(context));
    if (size > 0) throw new FsError("ENOTEMPTY", `${directory.path} is not empty`);
  }

  *#moveAt(step: StepOf<"move">, context: RequestContext): Steps<void> {
    const { copyUp, members, nodes, resolution } = this.#options;
    const [place, newPlace] = [this.#placeAt(step.place), this.#placeAt(step.newPlace)];
    const { member: index, findings } = step;
    const [source, member] = [nodes.get(step.node), members[index]!];
    const target = step.replaced === null ? undefined : nodes.get(step.replaced);
    yield* this.#bring(source, member, context);
    yield* copyUp.directory(newPlace.parent, member, context);
    // When it comes again: what is there now is what was moved.
    const isMoved = context.resent && (yield* resolution.isAt(source.parts[index]!, member, newPlace, context));
    if (source.isDirectory && findings.indexOf("directory", index + 1) >= 0) {
      yield* makeOpaque(member, source.parts[index]!, asServer(context));
      source.limit = index + 1;
    }
    const goes = (branch: number) => !isMoved && branch === index;
    const moving = isMoved
      ? this.#removeInFront(newPlace, findings, member, context)
      : this.#move(source, place, target, newPlace, findings, member, context);
    yield* this.#whiteouts.hidden(place, goes, moving, context);
    target?.leave(newPlace.parent, newPlace.name);
    source.leave(place.parent, place.name);
    source.moveTo(newPlace.parent, newPlace.name);
    for (const node of [source, target]) if (node !== undefined) nodes.touch(node);
  }

  /** What is in front of the new place goes last, so that nothing is lost when a branch refuses the rename. */
  *#move(
    source: UnionNode,
    place: Place,
    target: UnionNode | undefined,
    newPlace: Place,
    findings: readonly Finding[],
    member: Member,
    context: RequestContext,
  ): Steps<void> {
    const { copyUp, members } = this.#options;
    const rename = member.need("rename");
    const [from, to] = [yield* copyUp.name(source, place, member, context), newPlace.parent.parts[member.index]!];
    // What an empty directory hides of branches behind it stays hidden, though it may be gone when the rename fails.
    const hides = target?.isDirectory === true && members[target.top]!.writable;
    if (target?.isDirectory) yield* this.#removeEmpty(target, newPlace.parent, newPlace.name, context);
    try {
      // A file takes the place of a whiteout, a directory cannot.
      const inTheWay = findings.map((finding, at) => source.isDirectory && at === member.index ? finding : "nothing");
      const renaming = deferred(() => rename(from, place.name, to, newPlace.name, 0, context));
      yield* this.#whiteouts.uncovered(newPlace, inTheWay, member, renaming, context);
    } catch (error) {
      if (hides) yield* this.#whiteouts.prepare(newPlace, newPlace.name, () => false, context);
      throw error;
    }
    try {
      yield* this.#removeInFront(newPlace, findings, member, context);
    } catch (error) {
      yield* wait(rename(to, newPlace.name, from, place.name, 0, atOwnWill(context)));
      throw error;
    }
  }

  /** Removes what hides a name of a branch: whiteouts and files of those in front of it. */
  *#removeInFront(
    { parent, name }: Place,
    findings: readonly Finding[],
    { index }: Member,
    context: RequestContext,
  ): Steps<void> {
    for (const front of this.#options.members.slice(0, index)) {
      const [finding, directory] = [findings[front.index]!, parent.parts[front.index]!];
      if (finding !== "whiteout" && finding !== "file") continue;
      if (!(yield* this.#options.resolution.isStill(finding, front, directory, name, context))) continue;
      yield* wait(front.need("unlink")(directory, name, finding === "file" ? context : asServer(context)));
    }
  }

  *#exchangeAt(step: StepOf<"exchange">, context: RequestContext): Steps<void> {
    const { copyUp, members, nodes } = this.#options;
    const [{ parent, name }, { parent: newParent, name: newName }] = [
      this.#placeAt(step.place),
      this.#placeAt(step.newPlace),
    ];
    const [source, target, member] = [nodes.get(step.node), nodes.get(step.other), members[step.member]!];
    for (const node of [source, target]) yield* this.#bring(node, member, context);
    const one = yield* copyUp.name(source, { parent, name }, member, context);
    const other = yield* copyUp.name(target, { parent: newParent, name: newName }, member, context);
    for (const node of [source, target]) {
      if (!node.isDirectory) continue;
      yield* makeOpaque(member, node.parts[member.index]!, asServer(context));
      node.limit = member.index + 1;
    }
    yield* wait(member.need("rename")(one, name, other, newName, RENAME_EXCHANGE, context));
    source.leave(parent, name);
    target.leave(newParent, newName);
    source.moveTo(newParent, newName);
    target.moveTo(parent, name);
    for (const node of [source, target]) nodes.touch(node);
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

  /** A branch where a file, and the one `beside` it, can have the places. @throws FsError `EROFS` */
  #fitting(
    node: UnionNode,
    places: readonly (readonly [UnionNode, readonly Finding[]])[],
    beside?: UnionNode,
  ): Member {
    const top = Math.min(node.top, beside?.top ?? Infinity);
    const fitting = places.map(([parent, findings]) => this.#visible(parent, findings))
      .reduce((all, some) => all.filter((member) => some.includes(member)))
      .filter(({ index }) => index <= top);
    const member = fitting.find(({ index }) => index === top) ?? fitting[0];
    if (member !== undefined) return member;
    throw new FsError("EROFS", `Cannot move or link ${node.path}: no branch in front of its own is writable`);
  }

  /** Brings a file to a branch; a directory with all that is in it. */
  *#bring(node: UnionNode, member: Member, context: RequestContext): Steps<void> {
    const isWhole = node.parts.every((part, index) =>
      part === undefined || index === member.index || index >= node.limit
    );
    const { copyUp } = this.#options;
    if (!isWhole || node.top !== member.index) yield* copyUp.tree(node, member, context);
    else if (!node.isDirectory) yield* copyUp.to(node, member, context);
  }

  /** Removes a directory that shows nothing from the branches that may be changed, with the whiteouts in it. */
  *#removeEmpty(node: UnionNode, parent: UnionNode, name: string, context: RequestContext): Steps<void> {
    const { resolution, members, nodes } = this.#options;
    for (const [member, part] of [...resolution.partsOf(node)]) {
      if (!members[member.index]!.writable) continue;
      const directory = parent.parts[member.index]!;
      // When it comes again it may be gone.
      if (context.resent && !(yield* resolution.isAt(part, member, { parent, name }, context))) {
        if (node.parts.filter((one) => one !== undefined).length > 1) nodes.removePart(node, member.index);
        continue;
      }
      const marks = yield* this.#removeMarks(member, part, context);
      try {
        yield* wait(member.need("removeDirectory")(directory, name, context));
      } catch (error) {
        // What whiteouts hid stays hidden.
        for (const mark of marks.filter((mark) => !isReservedName(mark))) {
          yield* makeWhiteout(member, part, mark, atOwnWill(context));
        }
        throw error;
      }
      if (node.parts.filter((one) => one !== undefined).length > 1) nodes.removePart(node, member.index);
    }
  }

  /** Removes whiteouts, and copies that a crash left behind, and returns their names. */
  *#removeMarks(member: Member, directory: NodeId, context: RequestContext): Steps<readonly string[]> {
    const server = asServer(context);
    const marks = yield* this.#options.resolution.listMarks(member, directory, server);
    for (const name of marks) yield* wait(member.need("unlink")(directory, name, server));
    return marks;
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

function checkName(name: string): void {
  if (isReservedName(name)) throw new FsError("EPERM", `Cannot use the name "${name}": it is for the union itself`);
}
