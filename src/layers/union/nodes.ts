/** The files of a union that the kernel knows, and the files of the branches that each is made of. */
import type { Attributes } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import { type NodeId, ROOT_NODE } from "../../fs/filesystem.ts";
import { S_IFDIR, S_IFMT } from "../../fs/flags.ts";
import { numbersApart } from "../support/restarts.ts";
import type { NodeRecord, Part } from "./kept_records.ts";
import type { KeptTables } from "./kept_tables.ts";
import type { Member } from "./member.ts";
import { type Steps, wait } from "./steps.ts";

/** A name in a directory. */
export interface Place {
  readonly parent: UnionNode;
  readonly name: string;
}

/** One file. A directory may have a part on several branches; anything else has one, and old ones it was copied from. */
export class UnionNode {
  readonly id: NodeId;
  /** Its type, of `S_IFMT`. */
  readonly type: number;
  /** The inner node on each branch, by the branch's index; undefined where it has none. */
  readonly parts: (NodeId | undefined)[] = [];
  /** Parts that were copied up: programs may still have them open. */
  readonly retired: { member: Member; node: NodeId }[] = [];
  /** `st_ino`, which stays when the file is copied up. */
  readonly inode: number;
  /** The first branch that has a part: its attributes are the file's. */
  top: number;
  /** Of a directory: branches from this one on are hidden, by something opaque or by what is no directory. */
  limit: number;
  /** Where it was last seen. Undefined for the root, and for what has lost its name. */
  place: Place | undefined;
  /** Where else a file with several names was seen: a copy gets all of them. */
  readonly otherPlaces: Place[] = [];
  /** Whether the kernel has heard of it, and will say when it forgets it; where nothing is kept, which counts that itself. */
  isTold = false;
  /** Settles when what nobody else may do to the file meanwhile is done: its copy, its removal. See {@linkcode alone}. */
  busy: Promise<void> | undefined;
  /** The branch and its node that were opened last: what the kernel has in its page cache is from there. */
  #lastOpened: readonly [member: number, node: NodeId | undefined] | undefined;

  constructor(id: NodeId, type: number, inode: number, top: number, limit: number) {
    this.id = id;
    this.type = type;
    this.inode = inode;
    this.top = top;
    this.limit = limit;
  }

  get isDirectory(): boolean {
    return this.type === S_IFDIR;
  }

  /** The file's own part is opened; whether it is the one that was opened last. */
  opensSamePart(): boolean {
    const [member, node] = this.#lastOpened ?? [];
    const isSame = member === this.top && node === this.topPart;
    if (!isSame) this.#lastOpened = [this.top, this.topPart];
    return isSame;
  }

  /** The file was seen under this name. */
  moveTo(parent: UnionNode, name: string): void {
    const last = this.place;
    if (last?.parent === parent && last.name === name) return;
    if (last !== undefined && !this.isDirectory) this.otherPlaces.push(last);
    const again = this.otherPlaces.findIndex((place) => place.parent === parent && place.name === name);
    if (again >= 0) this.otherPlaces.splice(again, 1);
    this.place = { parent, name };
  }

  /** The name is not the file's any more. */
  leave(parent: UnionNode, name: string): void {
    const isIt = (place: Place) => place.parent === parent && place.name === name;
    const other = this.otherPlaces.findIndex(isIt);
    if (other >= 0) this.otherPlaces.splice(other, 1);
    if (this.place !== undefined && isIt(this.place)) this.place = this.otherPlaces.pop();
  }

  /** Whether more than one branch shows something of it. */
  get isMerged(): boolean {
    return this.parts.some((part, member) => part !== undefined && member > this.top && member < this.limit);
  }

  /** As it is written down; `place`: where its lookups are counted. */
  record(place: number): NodeRecord {
    const { id: i, type: m, inode: n, top: t, limit: l, parts, retired } = this;
    const a = parts.flatMap((part, member): Part[] => part === undefined ? [] : [[member, part]]);
    const r = retired.map(({ member, node }): Part => [member.index, node]);
    const seen = this.place === undefined ? this.otherPlaces : [this.place, ...this.otherPlaces];
    const s = seen.map(({ parent, name }) => [parent.id, name] as const);
    return { i, p: place, m, n, t, l, a, ...r.length > 0 && { r }, ...s.length > 0 && { s } };
  }

  /** The inner node whose attributes are the file's. */
  get topPart(): NodeId {
    return this.parts[this.top]!;
  }

  /** From the root of the union, with a slash in front. */
  get path(): string {
    const names: string[] = [];
    for (let place = this.place; place !== undefined; place = place.parent.place) names.unshift(place.name);
    return `/${names.join("/")}`;
  }
}

/** Waits until nobody does anything to the file that others have to wait for. */
export function* settled(node: UnionNode): Steps<void> {
  while (node.busy !== undefined) yield* wait(node.busy);
}

/** Does something to a file for which others wait. The file must be {@linkcode settled}. */
export function* alone<T>(node: UnionNode, act: Steps<T>): Steps<T> {
  const { promise, resolve } = Promise.withResolvers<void>();
  node.busy = promise;
  try {
    return yield* act;
  } finally {
    node.busy = undefined;
    resolve();
  }
}

const TWO_40 = 2 ** 40;

/** A number that files of different branches do not share, as far as theirs are below 2^40. */
function inodeNumber(member: number, inode: number): number {
  return member * TWO_40 + inode % TWO_40;
}

export class UnionNodes {
  readonly root: UnionNode;
  readonly #members: readonly Member[];
  readonly #nodes = new Map<NodeId, UnionNode>();
  /** By branch: the file that an inner node is, or once was, a part of. */
  readonly #byPart: Map<NodeId, UnionNode>[];
  /** By branch: inodes of copies, which show the inode of what they were copied from. */
  readonly #renumbered: Map<number, number>[];
  readonly #tables: KeptTables | undefined;
  /** Parts that are not the union's any more, and that the branches have to be told of. */
  #given: [member: Member, part: NodeId][] = [];
  #next: NodeId;
  /** Files that may have changed since that was written down; undefined where nothing is. */
  readonly touched: Set<UnionNode> | undefined;

  /** `restarts`: how many unions died before, whose node ids are none of this one's; or what they left in `tables`. */
  constructor(members: readonly Member[], restarts: number, tables?: KeptTables) {
    this.#next = ROOT_NODE + 1 + numbersApart(restarts);
    this.#tables = tables;
    this.touched = tables && new Set();
    this.#members = members;
    this.#byPart = members.map(() => new Map());
    this.#renumbered = members.map(() => new Map());
    this.root = new UnionNode(ROOT_NODE, S_IFDIR, ROOT_NODE, 0, members.length);
    this.#nodes.set(ROOT_NODE, this.root);
    members.forEach(({ index }) => this.#attach(this.root, index, ROOT_NODE));
    if (tables !== undefined) this.#restore(tables);
  }

  #restore({ found }: KeptTables): void {
    for (const { i, m, n, t, l, a, r = [] } of found.nodes.values()) {
      const node = i === ROOT_NODE ? this.root : new UnionNode(i, m, n, t, l);
      this.#nodes.set(i, node);
      for (const [member, part] of r) {
        node.retired.push({ member: this.#members[member]!, node: part });
        this.#byPart[member]!.set(part, node);
      }
      [node.top, node.limit] = [t, l];
      for (const [member, part] of a) node.parts[member] = part;
    }
    // After those that were copied up: their numbers may be other files' on a branch by now.
    for (const { i, a } of found.nodes.values()) {
      for (const [member, part] of a) this.#byPart[member]!.set(part, this.#nodes.get(i)!);
    }
    for (const { i, s = [] } of found.nodes.values()) {
      const places = s.flatMap(([id, name]): Place[] => {
        const parent = this.#nodes.get(id);
        return parent === undefined ? [] : [{ parent, name }];
      });
      const node = this.#nodes.get(i)!;
      node.place = places.shift();
      node.otherPlaces.push(...places);
    }
    for (const [member, inode, shown] of found.inodes) this.#renumbered[member]!.set(inode, shown);
  }

  /** How many files the kernel knows. */
  get size(): number {
    return this.#nodes.size;
  }

  /** @throws FsError `ESTALE` for a node that is none of this union's. */
  get(id: NodeId): UnionNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new FsError("ESTALE", `Cannot use node ${id}: the union does not know it`);
    this.touched?.add(node);
    return node;
  }

  /** It is about to change, or has, in another way than by this table. */
  touch(node: UnionNode): void {
    this.touched?.add(node);
  }

  has(id: NodeId): boolean {
    return this.#nodes.has(id);
  }

  all(): Iterable<UnionNode> {
    return this.#nodes.values();
  }

  /** The file that has this part; undefined when none is known. */
  find(member: number, part: NodeId): UnionNode | undefined {
    const node = this.#byPart[member]!.get(part);
    if (node !== undefined) this.touched?.add(node);
    return node;
  }

  /** A new file with its first part. */
  add(member: number, part: NodeId, attributes: Attributes, limit: number): UnionNode {
    const { mode, inode = part } = attributes;
    const id = this.#tables?.nextNode() ?? this.#next++;
    const node = new UnionNode(id, mode & S_IFMT, this.numberOf(member, inode), member, limit);
    this.#nodes.set(node.id, node);
    this.#attach(node, member, part);
    return node;
  }

  /** The file gets a part on another branch; a file that is no directory loses the one that it had. */
  addPart(node: UnionNode, member: number, part: NodeId, inode: number | undefined): void {
    if (!node.isDirectory && node.top !== member) {
      node.retired.push({ member: this.#members[node.top]!, node: node.topPart });
      node.parts[node.top] = undefined;
      node.top = member;
    }
    node.top = Math.min(node.top, member);
    this.#attach(node, member, part);
    if (inode === undefined || this.#renumbered[member]!.get(inode) === node.inode) return;
    this.#renumbered[member]!.set(inode, node.inode);
    this.#tables?.renumbered(member, inode, node.inode);
  }

  /** The part is gone from its branch. */
  removePart(node: UnionNode, member: number): void {
    const part = node.parts[member];
    if (part === undefined) return;
    node.parts[member] = undefined;
    this.touched?.add(node);
    this.#byPart[member]!.delete(part);
    this.#give(member, part);
  }

  /** A directory's parts in front of a branch's are gone from theirs. */
  removePartsBefore(node: UnionNode, member: number): void {
    for (let index = 0; index < member; index++) this.removePart(node, index);
    node.top = member;
  }

  /** What a file was copied from is not it any more. */
  removeRetired(node: UnionNode, member: number, part: NodeId): void {
    const at = node.retired.findIndex((one) => one.member.index === member && one.node === part);
    if (at < 0) return;
    node.retired.splice(at, 1);
    this.touched?.add(node);
    this.#detach(node, member, part);
  }

  /** What `st_ino` shows for an inode of a branch. */
  numberOf(member: number, inode: number): number {
    return this.#renumbered[member]!.get(inode) ?? inodeNumber(member, inode);
  }

  /** The kernel knows it no more: neither need the branches. */
  forget(id: NodeId): void {
    const node = this.#nodes.get(id);
    if (node === undefined || id === ROOT_NODE) return;
    this.#nodes.delete(id);
    node.parts.forEach((part, member) => part !== undefined && this.#detach(node, member, part));
    for (const { member, node: part } of node.retired) this.#detach(node, member.index, part);
  }

  /** Tells the branches of parts that are not the union's any more; after that was written down. */
  giveBack(): void {
    for (const [member, part] of this.#given.splice(0)) member.forget(part);
  }

  #give(member: number, part: NodeId): void {
    this.#given.push([this.#members[member]!, part]);
    if (this.#tables === undefined) this.giveBack();
  }

  #attach(node: UnionNode, member: number, part: NodeId): void {
    node.parts[member] = part;
    this.touched?.add(node);
    this.#byPart[member]!.set(part, node);
  }

  #detach(node: UnionNode, member: number, part: NodeId): void {
    if (this.#byPart[member]!.get(part) === node) this.#byPart[member]!.delete(part);
    this.#give(member, part);
  }
}
