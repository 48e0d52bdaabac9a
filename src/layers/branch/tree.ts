/**
 * The tree as it is now: from a node to its branch. For all but places that is arithmetic and one look into an array,
 * however many branches there are.
 */
import type { Attributes, Entry } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import { type Awaitable, type Name, type NodeId, type RequestContext, ROOT_NODE } from "../../fs/filesystem.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../fs/flags.ts";
import { after } from "../support/awaitable.ts";
import { Branch } from "./branch.ts";
import type { BranchTable, Place } from "./branch_table.ts";
import { branchOf, SPAN, WAYPOINTS } from "./node_ids.ts";
import { makeStaticDirectories } from "./static_directories.ts";

/** Where a waypoint's directory is: a branch's own, which is held so that its id stays, or a static one. */
interface Footing {
  readonly branch: Branch;
  readonly inner: NodeId;
  /** The branch in which it was looked for. */
  readonly home: Branch | undefined;
}

export class Tree {
  /** The branch's own id of the node that {@linkcode route} was asked for last; to be read at once. */
  inner: NodeId = 0;
  /** The directories and files that no branch provides. */
  readonly statics: Branch;
  /**
   * While several loops change their trees: the table that others may have already, or may have still. What one of them
   * hands out is known by it; names are looked up in the tree's own.
   */
  otherTable: BranchTable | undefined;
  #table: BranchTable;
  readonly #branches: (Branch | undefined)[] = [];
  /** Where this loop found the waypoints, by their number. */
  readonly #footings: Map<number, Footing> = new Map();
  /** Lookups of waypoints that the kernel holds. */
  readonly #known: Map<number, number> = new Map();

  constructor(table: BranchTable) {
    this.#table = table;
    const isFile = (number: NodeId) => this.#waypoint(number)?.isFile ?? false;
    this.statics = new Branch(WAYPOINTS, "", makeStaticDirectories(isFile));
  }

  get table(): BranchTable {
    return this.#table;
  }

  /** Branches that names lead to, and those that are on their way out. */
  get branches(): Branch[] {
    return this.#branches.filter((branch) => branch !== undefined);
  }

  /** The branch with this id. */
  branch(id: number): Branch | undefined {
    return this.#branches[id];
  }

  setBranch(id: number, branch: Branch | undefined): void {
    this.#branches[id] = branch;
  }

  /** Puts another table in place. Waypoints that lie in another branch now are to be found again. */
  setTable(table: BranchTable): void {
    this.#table = table;
    for (const [number, { home }] of [...this.#footings]) {
      const place = table.places.get(number);
      if (place === undefined ? this.#isUnknown(number) : this.#homeOf(place) !== home) this.#setFooting(number);
    }
  }

  /** The branch that serves `node`; {@linkcode inner} is then the node there. @throws {FsError} ESTALE. */
  route(node: NodeId, context: RequestContext): Branch {
    const id = Math.floor(node / SPAN);
    this.inner = node - id * SPAN;
    if (id === WAYPOINTS) return this.#routeWaypoint(this.inner, context);
    const branch = this.#branches[id];
    if (branch === undefined) throw new FsError("ESTALE", `Cannot find node ${node}: there is no branch ${id}`);
    return branch;
  }

  /** What the table knows of `node`; undefined for the most. */
  placeOf(node: NodeId): Place | undefined {
    const id = branchOf(node);
    const inner = node - id * SPAN;
    if (id === WAYPOINTS) return this.#waypoint(inner);
    return inner === ROOT_NODE ? this.#table.branches.get(id) ?? this.otherTable?.branches.get(id) : undefined;
  }

  #waypoint(number: number): Place | undefined {
    return this.#table.places.get(number) ?? this.otherTable?.places.get(number);
  }

  /** The tree's id of a branch's node, as the kernel knows it. */
  outerNode(branch: Branch, inner: NodeId): NodeId {
    for (const [number, footing] of this.#footings) {
      if (footing.branch === branch && footing.inner === inner) return WAYPOINTS * SPAN + number;
    }
    return branch.id * SPAN + inner;
  }

  /** The entry of a place, counted. */
  enter(place: Place, context: RequestContext): Awaitable<Entry> {
    if (place.branch === undefined) return this.#enterWaypoint(place, context);
    const branch = this.#branches[place.branch]!;
    return after(branch.pass(branch.methods.getAttributes(ROOT_NODE, undefined, context)), (attributes) => {
      branch.known++;
      return branch.placeEntry(attributes, place.node);
    });
  }

  /** A directory (a file, where the place is one) of the enclosing branch, if it has one of that name; else a static one. */
  #enterWaypoint(place: Place, context: RequestContext): Awaitable<Entry> {
    const branch = this.route(place.parent!.node, context);
    const found = branch.methods.lookup(this.inner, place.name, context);
    return after(branch.pass(found), (entry) => {
      this.#known.set(place.number, (this.#known.get(place.number) ?? 0) + 1);
      const { branch: owner } = this.#land(place, branch, entry);
      if (owner === branch && entry !== undefined) return branch.placeEntry(entry.attributes, place.node, entry);
      const attributes = this.statics.methods.getAttributes(place.number, undefined, context) as Attributes;
      return this.statics.placeEntry(attributes, place.node);
    });
  }

  /** Notes where a waypoint was found. */
  #land(place: Place, branch: Branch, entry: Entry | undefined): Footing {
    const home = this.#homeOf(place);
    if (entry !== undefined && (entry.attributes.mode & S_IFMT) === (place.isFile ? S_IFREG : S_IFDIR)) {
      branch.hold(entry.node);
      return this.#setFooting(place.number, { branch, inner: entry.node, home });
    }
    if (entry !== undefined) branch.discard(entry);
    return this.#setFooting(place.number, { branch: this.statics, inner: place.number, home });
  }

  /** The branch in which a waypoint's directory would lie: the nearest above it. */
  #homeOf({ parent }: Place): Branch | undefined {
    let above = parent!;
    while (above.branch === undefined) above = above.parent!;
    return this.#branches[above.branch];
  }

  /** A footing in a branch holds one lookup there; the one that it replaces gives its own back. */
  #setFooting(number: number, footing: Footing): Footing;
  #setFooting(number: number): void;
  #setFooting(number: number, footing?: Footing): Footing | void {
    const before = this.#footings.get(number);
    if (footing === undefined) this.#footings.delete(number);
    else this.#footings.set(number, footing);
    if (before !== undefined && before.branch !== this.statics) before.branch.letGo(before.inner);
    return footing;
  }

  /**
   * A waypoint's directory. Another loop may have looked it up, so this one finds it by itself, which filesystems in
   * loops answer at once; where they do not there is one isolate, and it knows what it gave out.
   */
  #routeWaypoint(number: number, context: RequestContext): Branch {
    const footing = this.#footings.get(number) ?? this.#findFooting(number, context);
    this.inner = footing.inner;
    return footing.branch;
  }

  #findFooting(number: number, context: RequestContext): Footing {
    const place = this.#waypoint(number);
    if (place === undefined) {
      throw new FsError("ESTALE", "Cannot find a directory on the way to a branch: it was removed");
    }
    const branch = this.route(place.parent!.node, context);
    const entry = branch.methods.lookup(this.inner, place.name, context);
    if (!(entry instanceof Promise)) return this.#land(place, branch, entry);
    entry.then((late) => late && branch.discard(late), () => {});
    throw new FsError("ESTALE", `Cannot find "${place.path}": it lies in another branch now`);
  }

  /** The kernel lets go of lookups. */
  forget(node: NodeId, count: number): void {
    const id = branchOf(node);
    const inner = node - id * SPAN;
    if (id !== WAYPOINTS) {
      this.#branches[id]?.forget(inner, count);
      return;
    }
    this.#known.set(inner, (this.#known.get(inner) ?? 0) - count);
    if (!this.#isUnknown(inner)) return;
    this.#known.delete(inner);
    if (!this.#table.places.has(inner)) this.#setFooting(inner);
  }

  #isUnknown(number: number): boolean {
    return (this.#known.get(number) ?? 0) <= 0;
  }

  /** The place below `parent` that hides whatever else has that name. */
  placeAt(parent: NodeId, name: Name): Place | undefined {
    return this.placeOf(parent)?.children.get(name);
  }
}
