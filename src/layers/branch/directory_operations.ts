/**
 * Reading directories. A branch's entries come with their own offsets; the places in the directory come after them, at
 * offsets of their own, and hide entries of their names.
 */
import { FsError } from "../../fs/errors.ts";
import type { Awaitable, DirectoryEntry, FileSystem, Handle, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { S_IFDIR, S_IFREG } from "../../fs/flags.ts";
import type { Branch } from "./branch.ts";
import type { Place } from "./branch_table.ts";
import { branchOf, WAYPOINTS } from "./node_ids.ts";
import { STATIC_HANDLE } from "./static_directories.ts";
import type { Tree } from "./tree.ts";

/**
 * Offsets from here to 2^53 - 2 are those of places, by their number. The source's own positions do not reach here:
 * ext4, btrfs and tmpfs have only their end this high, which is 2^53 - 1 (see `layers/passthrough/directory_offset.ts`).
 */
const PLACES = 2 ** 53 - 2 ** 20;
const END = Number.MAX_SAFE_INTEGER;

type Entries = Iterable<DirectoryEntry> | AsyncIterable<DirectoryEntry>;

/** A directory that is being read. */
interface Listing {
  readonly node: NodeId;
  readonly branch: Branch;
  readonly place: Place | undefined;
  readonly offset: number;
}

export function directoryOperations(tree: Tree) {
  /** The branch that opened a directory: a waypoint that was static then may be a branch's own directory by now. */
  function branchOfHandle(node: NodeId, handle: Handle, context: RequestContext): Branch {
    const isStatic = handle === STATIC_HANDLE && branchOf(node) === WAYPOINTS;
    return isStatic ? tree.statics : tree.route(node, context);
  }

  const beyondBranch = (offset: number) => offset >= PLACES && offset < END;

  /** The listing of a branch's answer, at once if that is there. */
  function list(listing: Listing, entries: Awaitable<Entries>): Awaitable<Entries> {
    if (entries instanceof Promise) return entries.then((listed) => list(listing, listed));
    return Symbol.asyncIterator in entries ? listLater(listing, entries) : listNow(listing, entries);
  }

  function* listNow(listing: Listing, entries: Iterable<DirectoryEntry>): Generator<DirectoryEntry> {
    const shown: DirectoryEntry = { name: "", inode: 0, mode: 0, offset: 0 };
    for (const entry of entries) {
      if (isShown(listing, entry)) yield translate(listing, entry, shown);
    }
    yield* places(listing);
  }

  /** As {@linkcode listNow}. These entries are collected, so each is an object of its own. */
  async function* listLater(listing: Listing, entries: AsyncIterable<DirectoryEntry>): AsyncGenerator<DirectoryEntry> {
    for await (const entry of entries) {
      if (!isShown(listing, entry)) continue;
      const translated = translate(listing, entry, { name: "", inode: 0, mode: 0, offset: 0 });
      const { entry: found } = translated;
      if (found !== undefined) translated.entry = { ...found, attributes: { ...found.attributes } };
      yield translated;
    }
    yield* places(listing);
  }

  function isShown({ branch, place }: Listing, { name, entry }: DirectoryEntry): boolean {
    if (place === undefined || !place.children.has(name)) return true;
    if (entry !== undefined) branch.discard(entry);
    return false;
  }

  function translate(listing: Listing, entry: DirectoryEntry, shown: DirectoryEntry): DirectoryEntry {
    const { branch, place } = listing;
    if (place !== undefined && beyondBranch(entry.offset)) {
      throw new FsError(
        "EOVERFLOW",
        `Cannot list a directory of branch ${branch.id} at "${branch.path}": its offsets are too large`,
      );
    }
    shown.name = entry.name;
    shown.inode = inodeOf(listing, entry);
    shown.mode = entry.mode;
    shown.offset = entry.offset;
    delete shown.entry;
    if (entry.entry !== undefined) shown.entry = branch.entry(entry.entry) as NonNullable<DirectoryEntry["entry"]>;
    return shown;
  }

  function inodeOf({ branch, place }: Listing, { name, inode }: DirectoryEntry): number {
    if (name !== "." && name !== "..") return branch.inode(inode);
    if (place !== undefined) return (name === "." ? place : place.parent ?? place).node;
    const own = branch.inode(inode);
    return name === ".." ? branch.placeInodes.get(own) ?? own : own;
  }

  /** The places in the directory, without what `lookup` would say: a branch that is slow does not hold up the listing. */
  function* places({ place, offset }: Listing): Generator<DirectoryEntry> {
    for (const child of place?.children.values() ?? []) {
      const own = PLACES + child.number;
      if (!beyondBranch(offset) || own > offset) {
        yield { name: child.name, inode: child.node, mode: child.isFile ? S_IFREG : S_IFDIR, offset: own };
      }
    }
  }

  return {
    openDirectory(node, flags, context) {
      const branch = tree.route(node, context);
      return branch.open(branch.methods.openDirectory(tree.inner, flags, context));
    },

    readDirectory(node, handle, offset, context) {
      const branch = branchOfHandle(node, handle, context);
      const listing = { node, branch, place: tree.placeOf(node), offset };
      if (beyondBranch(offset)) return places(listing);
      return list(listing, branch.pass(branch.methods.readDirectory(tree.inner, handle, offset, context)));
    },

    readDirectoryPlus(node, handle, offset, context) {
      const branch = branchOfHandle(node, handle, context);
      const listing = { node, branch, place: tree.placeOf(node), offset };
      if (beyondBranch(offset)) return places(listing);
      return list(listing, branch.pass(branch.methods.readDirectoryPlus(tree.inner, handle, offset, context)));
    },

    releaseDirectory(node, handle, flags, context) {
      const branch = branchOfHandle(node, handle, context);
      return branch.released(branch.methods.releaseDirectory(tree.inner, handle, flags, context));
    },

    synchronizeDirectory(node, handle, dataOnly, context) {
      const branch = branchOfHandle(node, handle, context);
      return branch.pass(branch.methods.synchronizeDirectory(tree.inner, handle, dataOnly, context));
    },
  } satisfies FileSystem;
}
