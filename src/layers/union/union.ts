/** What the operations of a union share: its branches, its nodes, its open files. */
import type { Attributes, Entry } from "../../fs/attributes.ts";
import { type ErrnoName, FsError } from "../../fs/errors.ts";
import type { Created, Handle, NodeId, Opened, RequestContext } from "../../fs/filesystem.ts";
import { O_CREAT, O_EXCL, O_TRUNC } from "../../fs/flags.ts";
import { copyAttributes } from "../support/copy_attributes.ts";
import { HandleTable } from "../support/handle_table.ts";
import { CopyUp } from "./copy_up.ts";
import type { FileRecord, OpenPart, Result } from "./kept_records.ts";
import { KeptTables, type KeptUnionMemory } from "./kept_tables.ts";
import { Member, type UnionBranch } from "./member.ts";
import { type Made, Names } from "./names.ts";
import { type UnionNode, UnionNodes } from "./nodes.ts";
import type { CreatePolicy } from "./policies.ts";
import { type Found, Resolution } from "./resolution.ts";
import { asServer, atOwnWill, SERVER } from "./server_context.ts";
import { type Steps, wait } from "./steps.ts";

/** An open file, and the part of it that is open on a branch. */
export interface OpenFile {
  readonly id: Handle;
  readonly file: UnionNode;
  /** Those of open(2). */
  readonly flags: number;
  member: Member;
  node: NodeId;
  handle: Handle;
}

export interface UnionParts {
  readonly policy: CreatePolicy;
  readonly random: () => number;
  readonly restarts: number;
  readonly kept: KeptUnionMemory | undefined;
}

export class Union {
  readonly members: readonly Member[];
  readonly nodes: UnionNodes;
  readonly resolution: Resolution;
  readonly copyUp: CopyUp;
  readonly names: Names;
  /** What outlives the server; undefined where nothing does. */
  readonly tables: KeptTables | undefined;
  /** How many unions died in this one's place: no number that it gives out is one of theirs. */
  readonly restarts: number;
  readonly files: HandleTable<OpenFile>;

  constructor(branches: readonly UnionBranch[], { policy, random, restarts, kept }: UnionParts) {
    const members = branches.map((branch, index) => new Member(branch, index));
    const tables = kept && new KeptTables(kept);
    const nodes = new UnionNodes(members, restarts, tables);
    const resolution = new Resolution(members, nodes);
    const copyUp = new CopyUp(members, nodes, resolution, tables);
    this.restarts = restarts;
    this.files = new HandleTable(restarts);
    this.members = members;
    this.tables = tables;
    this.nodes = nodes;
    this.resolution = resolution;
    this.copyUp = copyUp;
    this.names = new Names({ members, nodes, resolution, copyUp, policy, random, tables });
    for (const { h, i, f: flags, p: [member, node], o: handle } of tables?.found.files.values() ?? []) {
      if (!nodes.has(i)) continue;
      this.files.adopt(h, { id: h, file: nodes.get(i), flags, member: members[member]!, node, handle });
    }
    if (tables?.found.loose !== undefined) closeLoose(members, tables.found.loose);
    tables?.begin(nodes);
  }

  /** The branch whose file is seen. */
  topOf(node: UnionNode): Member {
    return this.members[node.top]!;
  }

  /** A file as the kernel is told of it. */
  entry({ node, attributes }: Found): Entry {
    this.tables?.raise(node.id);
    node.isTold = true;
    return { node: node.id, attributes: this.attributes(node, attributes) };
  }

  /** A merged directory has the link count 1, as in overlayfs: nobody can tell how many directories are in it. */
  attributes(node: UnionNode, inner: Attributes): Attributes {
    const attributes = copyAttributes(inner, {});
    attributes.inode = node.inode;
    if (node.isMerged) attributes.links = 1;
    return attributes;
  }

  opened(file: UnionNode, flags: number, opened: Opened): Opened {
    const { handle = 0 } = opened;
    const open = { file, flags, member: this.topOf(file), node: file.topPart, handle };
    // A branch speaks for what was read of its own file.
    const keepCache = file.opensSamePart() && opened.keepCache === true;
    if (this.tables === undefined) return { ...opened, keepCache, handle: this.files.add({ id: 0, ...open }) };
    const id = this.tables.nextHandle();
    this.tables.opened(recordOf(this.files.adopt(id, { id, ...open })));
    return { ...opened, keepCache, handle: id };
  }

  /** What was made and opened. */
  created({ found, opened = {} }: Made, flags: number): Created {
    return { entry: this.entry(found), opened: this.opened(found.node, flags, opened) };
  }

  /** Whether the file has been copied up since it was opened, so that what is open is not the file any more. */
  isOld({ file, member, node }: OpenFile): boolean {
    return file.parts[member.index] !== node;
  }

  /** Opens the copy in place of what was copied: as who serves, since who has it open needs no right to open it again. */
  *reopen(open: OpenFile, context: RequestContext): Steps<OpenFile> {
    const { file, flags, member, node, handle } = open;
    const top = this.topOf(file);
    const opened = yield* wait(top.open(file.topPart, flags & ~(O_CREAT | O_EXCL | O_TRUNC), asServer(context)));
    // Another may have done the same meanwhile; and the old one is released once.
    if (!this.isOld(open)) {
      yield* wait(top.release(file.topPart, opened.handle ?? 0, flags, context));
      return open;
    }
    [open.member, open.node, open.handle] = [top, file.topPart, opened.handle ?? 0];
    file.opensSamePart();
    if (this.tables !== undefined) {
      this.tables.opened(recordOf(open));
      this.tables.commitOpened(context.unique, [member.index, node, handle]);
    }
    yield* wait(member.release(node, handle, flags, atOwnWill(context)));
    return open;
  }

  /** The inner handle, if it is one of that part: a file that was copied up has handles of its old part too. */
  handleOn(handle: Handle | undefined, member: Member, part: NodeId): Handle | undefined {
    const file = handle === undefined ? undefined : this.files.find(handle);
    return file?.member === member && file.node === part ? file.handle : undefined;
  }

  /** Does something that may change what the union knows: it is written down before anybody hears of it. */
  *written<T>(act: Steps<T>): Steps<T> {
    const { tables } = this;
    if (tables === undefined) return yield* act;
    try {
      return yield* act;
    } finally {
      tables.commit();
    }
  }

  /** Does a request once: where a server before has done it, `recall` makes the answer of what came of it. */
  *once<T>(
    context: RequestContext,
    act: Steps<T>,
    resultOf: (answer: T) => Result,
    recall: (result: Result) => Steps<T>,
  ): Steps<T> {
    const { tables } = this;
    if (tables === undefined) return yield* act;
    const done = tables.takeDone(context);
    if (done?.error !== undefined) throw new FsError(done.error as ErrnoName, "So it ended under the server before");
    if (done !== undefined) return yield* recall(done);
    let answer: T;
    try {
      answer = yield* act;
    } catch (error) {
      tables.commit();
      throw error;
    }
    tables.commit([context.unique, resultOf(answer)]);
    return answer;
  }

  /** The entry of a file that a server before has made, and the kernel may not have heard of. */
  *recallEntry({ node: id }: Result): Steps<Entry> {
    const node = this.nodes.get(id!);
    const inner = yield* wait(this.topOf(node).getAttributes(node.topPart, undefined, SERVER));
    return { node: node.id, attributes: this.attributes(node, inner) };
  }
}

/** Closes what a server before was about to close, and may have. */
function closeLoose(members: readonly Member[], [member, node, handle]: OpenPart): void {
  try {
    members[member]!.release(node, handle, 0, SERVER);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
  }
}

function recordOf({ id, file, flags, member, node, handle }: OpenFile): FileRecord {
  return { h: id, i: file.id, f: flags, p: [member.index, node], o: handle };
}
