/** All that outlives a server: made and held by the keeper, given to each server by inheritance. */
import { openLibc } from "../../ffi/library.ts";
import type { KeptDescriptors, KeptState } from "../fs/module.ts";
import { createDescriptorStore } from "./descriptor_store.ts";
import { journalSize } from "./journal.ts";
import { createKept, mapKept } from "./kept_memory.ts";

/** Descriptor numbers, alike in keeper and server; JSON can say them. */
export interface KeptHandles {
  /** The memfd of the loops' journal. */
  readonly journal: number;
  /** The memfd of the filesystem's own memory. */
  readonly state: number;
  readonly descriptors?: KeptDescriptors | undefined;
}

/** Makes all of it, empty. */
export function createKeptState(): KeptHandles {
  return {
    journal: createKept("trellis-journal"),
    state: createKept("trellis-state"),
    descriptors: createDescriptorStore(),
  };
}

/** The descriptors that a server has to inherit, and the keeper to close. */
export function keptDescriptorsOf({ journal, state, descriptors }: KeptHandles): number[] {
  return [journal, state, ...descriptors === undefined ? [] : [descriptors.ring]];
}

/** Lets go of all of it. */
export function closeKeptState(handles: KeptHandles): void {
  for (const descriptor of keptDescriptorsOf(handles)) openLibc().symbols.close(descriptor);
}

/** What a server is told of the ones before it. */
export type KeptHistory = Pick<KeptState, "restarts" | "interrupted">;

/** What a module is given. */
export function openKeptState({ state, descriptors }: KeptHandles, history: KeptHistory): KeptState {
  let given = false;
  return {
    ...history,
    descriptors,
    memory(bytes) {
      if (given) throw new Error("Kept memory is asked for once: there is one piece of it");
      given = true;
      return mapKept(state, bytes);
    },
  };
}

/** The journal as the loops write it. */
export function openJournal({ journal }: KeptHandles, loops: number): SharedArrayBuffer {
  return mapKept(journal, journalSize(loops));
}
