/** All that outlives a server: made and held by the keeper, and given to each server. */
import { openLibc } from "../../ffi/library.ts";
import type { TreeHistory } from "../fs/branches.ts";
import type { Agreed, KeptDescriptors, KeptState } from "../fs/module.ts";
import { createDescriptorStore, DescriptorStore } from "./descriptor_store.ts";
import { journalSize } from "./journal.ts";
import { KeptAreas } from "./kept_areas.ts";
import { KeptFileParts } from "./kept_extents.ts";
import { createKept, mapKept } from "./kept_memory.ts";

/** More isolates than can ever serve a mount beside each other. */
const MOST_ISOLATES = 64;

/** Descriptor numbers of the process that has them; JSON can say them. */
export interface KeptHandles {
  /** The memfd of the loops' journal. */
  readonly journal: number;
  /** The memfd of the filesystem's own memory. */
  readonly state: number;
  /** The memfd of the table of open nodes; see `src/transport/open_nodes.ts`. */
  readonly openNodes: number;
  readonly descriptors?: KeptDescriptors | undefined;
}

/** Makes all of it, empty, but for the table of open files, which is its own from here on. */
export function createKeptState(descriptors = createDescriptorStore()): KeptHandles {
  return {
    journal: createKept("trellis-journal"),
    state: createKept("trellis-state"),
    openNodes: createKept("trellis-open-nodes"),
    descriptors,
  };
}

/** The descriptors that a server is given; the table of open files it has already. */
export function givenDescriptorsOf({ journal, state, openNodes }: KeptHandles): number[] {
  return [journal, state, openNodes];
}

/** The same where those have other numbers. */
export function renumberKept(
  { journal, state, openNodes, descriptors }: KeptHandles,
  renumber: (descriptor: number) => number,
): KeptHandles {
  return {
    ...{ journal: renumber(journal), state: renumber(state), openNodes: renumber(openNodes), descriptors },
  };
}

/** Lets go of all of it. */
export function closeKeptState(handles: KeptHandles): void {
  const { close } = openLibc().symbols;
  for (const descriptor of givenDescriptorsOf(handles)) close(descriptor);
  if (handles.descriptors !== undefined) close(handles.descriptors.ring);
}

/** What a server is told beside. */
export interface KeptHistory extends Pick<KeptState, "restarts" | "resumes" | "interrupted" | "log"> {
  /** The descriptor of the memfd of all parts' files. */
  readonly file: number;
  /** What the first server's filesystem had; undefined for that one. */
  readonly agreed?: Agreed | undefined;
  /** What its tree has become since. */
  readonly tree?: TreeHistory | undefined;
}

/** What a module is given, as who opened it has it. */
export interface OpenedKeptState extends KeptState, Pick<KeptHistory, "agreed" | "tree"> {
  /** By place, how many handler workers this connection had there, in all servers; to be asked for once. */
  countWorkers(): Int32Array<SharedArrayBuffer>;
  /** All have claimed what is theirs: the rest of the open files is let go of. Before anybody serves. */
  settle(): void;
}

type Claimed = NonNullable<Parameters<KeptState["claim"]>[1]>;

/** Opens it for a module. */
export function openKeptState({ state, descriptors }: KeptHandles, history: KeptHistory): OpenedKeptState {
  const areas = new KeptAreas(state);
  const given = new Set<string>();
  const claimed = new Set<number>();
  const waiting: Claimed[] = [];
  const { agreed, tree, file, ...told } = history;
  // Few filesystems have such files.
  let files: KeptFileParts | undefined;
  const part = (path: string): KeptState => ({
    ...told,
    descriptors,
    removedBranches: tree?.removed ?? [],
    memory(bytes) {
      if (given.has(path)) throw new Error(`Kept memory is asked for once: "${path}" is one piece of it`);
      given.add(path);
      return areas.map(path, bytes);
    },
    file: () => (files ??= new KeptFileParts(file)).place(path),
    part: (name) => part(`${path}/${name}`),
    claim(slots, then) {
      for (const slot of slots) claimed.add(slot);
      if (then !== undefined) waiting.push(then);
    },
    free() {
      areas.free(path);
      (files ??= new KeptFileParts(file)).free(path);
      for (const name of given) if (name === path || name.startsWith(`${path}/`)) given.delete(name);
    },
  });
  return {
    ...{ agreed, tree },
    ...part("module"),
    countWorkers: () => new Int32Array(areas.map("workers", 4 * MOST_ISOLATES), 0, MOST_ISOLATES),
    settle() {
      const isClaimed = (slot: number) => claimed.has(slot);
      if (descriptors !== undefined && told.restarts > 0) new DescriptorStore(descriptors).dropOthers(isClaimed);
      for (const then of waiting.splice(0)) then(isClaimed);
    },
  };
}

/** The journal as so many loops and handlers write it. */
export function openJournal({ journal }: KeptHandles, slots: number): SharedArrayBuffer {
  return mapKept(journal, journalSize(slots));
}
