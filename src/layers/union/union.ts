/** What the operations of a union share: its branches, its nodes, its open files. */
import type { Attributes, Entry } from "../../fs/attributes.ts";
import type { Handle, NodeId, Opened, RequestContext } from "../../fs/filesystem.ts";
import { O_CREAT, O_EXCL, O_TRUNC } from "../../fs/flags.ts";
import { copyAttributes } from "../support/copy_attributes.ts";
import { HandleTable } from "../support/handle_table.ts";
import { CopyUp } from "./copy_up.ts";
import { Member, type UnionBranch } from "./member.ts";
import { Names } from "./names.ts";
import { type UnionNode, UnionNodes } from "./nodes.ts";
import type { CreatePolicy } from "./policies.ts";
import { type Found, Resolution } from "./resolution.ts";
import { type Steps, wait } from "./steps.ts";

/** An open file, and the part of it that is open on a branch. */
export interface OpenFile {
  readonly file: UnionNode;
  /** Those of open(2). */
  readonly flags: number;
  member: Member;
  node: NodeId;
  handle: Handle;
}

export class Union {
  readonly members: readonly Member[];
  readonly nodes: UnionNodes;
  readonly resolution: Resolution;
  readonly copyUp: CopyUp;
  readonly names: Names;
  /** How many unions died in this one's place: no number that it gives out is one of theirs. */
  readonly restarts: number;
  readonly files: HandleTable<OpenFile>;

  constructor(branches: readonly UnionBranch[], policy: CreatePolicy, random: () => number, restarts: number) {
    const members = branches.map((branch, index) => new Member(branch, index));
    const nodes = new UnionNodes(members, restarts);
    const resolution = new Resolution(members, nodes);
    const copyUp = new CopyUp(members, nodes, resolution);
    this.restarts = restarts;
    this.files = new HandleTable(restarts);
    this.members = members;
    this.nodes = nodes;
    this.resolution = resolution;
    this.copyUp = copyUp;
    this.names = new Names({ members, nodes, resolution, copyUp, policy, random });
  }

  /** The branch whose file is seen. */
  topOf(node: UnionNode): Member {
    return this.members[node.top]!;
  }

  entry({ node, attributes }: Found): Entry {
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
    return { ...opened, handle: this.files.add({ file, flags, member: this.topOf(file), node: file.topPart, handle }) };
  }

  /** Whether the file has been copied up since it was opened, so that what is open is not the file any more. */
  isOld({ file, member, node }: OpenFile): boolean {
    return file.parts[member.index] !== node;
  }

  /** Opens the copy in place of what was copied. */
  *reopen(open: OpenFile, context: RequestContext): Steps<OpenFile> {
    const { file, flags, member, node, handle } = open;
    const top = this.topOf(file);
    const opened = yield* wait(top.open(file.topPart, flags & ~(O_CREAT | O_EXCL | O_TRUNC), context));
    // Another may have done the same meanwhile; and the old one is released once.
    if (!this.isOld(open)) {
      yield* wait(top.release(file.topPart, opened.handle ?? 0, flags, context));
      return open;
    }
    [open.member, open.node, open.handle] = [top, file.topPart, opened.handle ?? 0];
    yield* wait(member.release(node, handle, flags, context));
    return open;
  }

  /** The inner handle, if it is one of that part: a file that was copied up has handles of its old part too. */
  handleOn(handle: Handle | undefined, member: Member, part: NodeId): Handle | undefined {
    const file = handle === undefined ? undefined : this.files.find(handle);
    return file?.member === member && file.node === part ? file.handle : undefined;
  }
}
