/** The nodes of a kept memory filesystem, as the log has them and made again from it. */
import { type NodeId, ROOT_NODE } from "../../fs/filesystem.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../fs/flags.ts";
import type { KeptFile } from "../../kept/kept_file.ts";
import type { Capacity } from "./capacity.ts";
import type { Content } from "./content.ts";
import { Child, DirectoryNode } from "./directory.ts";
import { ExtendedAttributes } from "./extended_attributes.ts";
import { makeKeptContent, restoreKeptContent } from "./kept_places.ts";
import { type KeptTable, lengthen, type NodeRecord } from "./kept_records.ts";
import { type Birth, FileNode, type Node, SpecialNode, SymbolicLinkNode } from "./node.ts";

const PERMISSIONS = 0o7777;

/** A regular file whose content outlives the server. */
export class KeptFileNode extends FileNode {
  readonly #file: KeptFile;
  readonly #place: number;

  constructor(permissions: number, birth: Birth, file: KeptFile, place: number) {
    super(permissions, birth);
    this.#file = file;
    this.#place = place;
  }

  protected override makeContent(capacity: Capacity): Content {
    return makeKeptContent(this.#file, this.#place, capacity);
  }
}

/** All nodes as they were. Their contents are taken from the capacity. */
export function restoreNodes(table: KeptTable, file: KeptFile, capacity: Capacity): Map<NodeId, Node> {
  const nodes = new Map<NodeId, Node>();
  // First the root: until a directory has its name again, that is above it.
  const root = table.nodes.get(ROOT_NODE)!;
  const top = restoreNode(root, file, capacity) as DirectoryNode;
  for (const record of table.nodes.values()) {
    nodes.set(record.i, record === root ? top : restoreNode(record, file, capacity, top));
  }
  for (const [inode, attributes] of table.attributes) restoreAttributes(nodes.get(inode), attributes);
  for (const [inode, { o, r }] of table.nodes) {
    const directory = nodes.get(inode);
    if (!(directory instanceof DirectoryNode)) continue;
    const names = [...table.names.get(inode) ?? []].sort(([, [one]], [, [other]]) => one - other);
    directory.restore(names.map(([name, [offset, node]]) => new Child(name, offset, nodes.get(node)!)), o!);
    if (r) directory.retire();
  }
  return nodes;
}

function restoreNode(record: NodeRecord, file: KeptFile, capacity: Capacity, parent?: DirectoryNode): Node {
  const birth = { inode: record.i, uid: record.u, gid: record.g, time: lengthen(record.b) };
  const node = makeNode(record, birth, file, parent);
  if (node instanceof FileNode) node.restore(restoreKeptContent(file, record.p, record.s, capacity));
  node.mode = record.m;
  node.atime = lengthen(record.a);
  node.mtime = lengthen(record.t);
  node.ctime = lengthen(record.c);
  return node;
}

function makeNode({ p, m, l, d }: NodeRecord, birth: Birth, file: KeptFile, parent?: DirectoryNode): Node {
  const type = m & S_IFMT;
  if (type === S_IFDIR) return new DirectoryNode(m & PERMISSIONS, birth, parent);
  if (type === S_IFREG) return new KeptFileNode(m & PERMISSIONS, birth, file, p);
  return l === undefined ? new SpecialNode(m, d!, birth) : new SymbolicLinkNode(l, birth);
}

function restoreAttributes(node: Node | undefined, attributes: readonly (readonly [string, string])[]): void {
  if (node === undefined) return;
  node.extendedAttributes = new ExtendedAttributes();
  for (const [name, value] of attributes) node.extendedAttributes.set(name, Uint8Array.fromBase64(value), 0);
}
