/** Directories on their way to the kernel: entries go into its buffer until it is full. */
import { STRUCT } from "../../ffi/structs.ts";
import type { Entry } from "../fs/attributes.ts";
import type { Awaitable, DirectoryEntry, NodeId } from "../fs/filesystem.ts";
import type { ReplyBody } from "./reply.ts";

/** The smallest entry on the wire: more than `size / SMALLEST` never fit. */
const SMALLEST = STRUCT.fuse_dirent.SIZE + 8;

/**
 * Makes what `readDirectory` returned an iterable that answers at once. Entries that come with time are collected, as
 * many as could fit; the others are left to be taken one by one.
 */
export function gatherDirectory(
  entries: Awaitable<Iterable<DirectoryEntry> | AsyncIterable<DirectoryEntry>>,
  size: number,
): Awaitable<Iterable<DirectoryEntry>> {
  if (entries instanceof Promise) return entries.then((listed) => gatherDirectory(listed, size));
  return Symbol.asyncIterator in entries ? collect(entries, Math.ceil(size / SMALLEST)) : entries;
}

async function collect(entries: AsyncIterable<DirectoryEntry>, most: number): Promise<DirectoryEntry[]> {
  const collected: DirectoryEntry[] = [];
  for await (const entry of entries) {
    collected.push(entry);
    if (collected.length >= most) break;
  }
  return collected;
}

/** What READDIRPLUS lists, and the nodes of what went into the reply: each counts as a lookup. */
export interface PlusListing {
  readonly entries: Iterable<DirectoryEntry>;
  readonly counted: NodeId[];
}

/** As {@linkcode gatherDirectory}, for READDIRPLUS. */
export function gatherPlus(
  entries: Awaitable<Iterable<DirectoryEntry> | AsyncIterable<DirectoryEntry>>,
  size: number,
): Awaitable<PlusListing> {
  const gathered = gatherDirectory(entries, size);
  if (gathered instanceof Promise) return gathered.then((listed) => ({ entries: listed, counted: [] }));
  return { entries: gathered, counted: [] };
}

/** Where entries go, and where their lookups are counted. */
interface DirectoryHost {
  readonly body: ReplyBody;
  count(entry: Entry): void;
  uncount(node: NodeId): void;
  discard(entry: Entry): void;
}

/**
 * Writes entries until `size` bytes are full and returns the length. With `counted` (READDIRPLUS) each entry that was
 * written counts as a lookup and is added there; those that did not fit are given back. When `entries` throws the kernel
 * gets none of them, and all are given back.
 */
export function putDirectory(
  entries: Iterable<DirectoryEntry>,
  host: DirectoryHost,
  size: number,
  counted?: NodeId[],
): number {
  try {
    return putEntries(entries, host, size, counted);
  } catch (error) {
    for (const node of counted?.splice(0) ?? []) host.uncount(node);
    throw error;
  }
}

function putEntries(
  entries: Iterable<DirectoryEntry>,
  host: DirectoryHost,
  size: number,
  counted: NodeId[] | undefined,
): number {
  const plus = counted !== undefined;
  const limit = Math.min(size, host.body.bytes.length);
  let at = 0;
  let full = false;
  for (const entry of entries) {
    const next = full ? -1 : host.body.addDirectoryEntry(at, limit, entry, plus);
    if (next < 0) {
      if (plus && entry.entry !== undefined) host.discard(entry.entry);
      // What was collected has been handed out to the last; an iterator has not made what it was not asked for.
      if (!plus || !Array.isArray(entries)) break;
      full = true;
      continue;
    }
    if (plus && entry.entry !== undefined) {
      host.count(entry.entry);
      counted.push(entry.entry.node);
    }
    at = next;
  }
  return at;
}
