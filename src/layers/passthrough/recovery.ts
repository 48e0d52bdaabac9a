/**
 * What a new server finds in kept memory, made whole again. Whatever the one before was in the midst of when it ended,
 * these hold: a node that is `LIVE` has all its words; a place is complete before its node names it, and freed after;
 * a file is in the store before its word says so. All else (locks, chains, free cells, counters) is made anew from that.
 *
 * What can be lost is a decrement: a forget that was read and not done, or a parent's count. Such a node stays until the
 * end of the mount.
 */
import { F_DUPFD_CLOEXEC, F_SETFD, FD_CLOEXEC } from "../../../ffi/libc.ts";
import { FsError } from "../../fs/errors.ts";
import { O_CLOEXEC, O_PATH } from "../../fs/flags.ts";
import type { KeptState } from "../../fs/module.ts";
import { DescriptorReader } from "../../kept/descriptor_store.ts";
import { type DescriptorRegister, FILE_KINDS, LOCK_OWNER, NODE, PARKED, RETIRED } from "./descriptor_register.ts";
import {
  type KeptFilesMemory,
  kindOf,
  nodeOf,
  OPENED,
  recordedFor,
  recordWords,
  RELEASED,
  usedSlotWords,
} from "./kept_files.ts";
import { LOCK_OWNER_DESCRIPTOR, LOCK_OWNER_NEXT } from "./lock_operations.ts";
import { EVICTED, HIGH_WATER, NODES, OPEN_NODES } from "./node_memory.ts";
import { FD, GENERATION, LIVE, LOCK_OWNERS, type NodeTable, PLACE, ROOT, STATE } from "./node_table.ts";
import { FileStatus, STATX_MASK } from "./file_status.ts";
import { AT_EMPTY_PATH, EMPTY, StringBuffer, type SystemCalls } from "./system_calls.ts";

/** Rebuilds the table around its nodes, none of which has a descriptor yet. */
export function rebuildNodes(table: NodeTable): void {
  const { cells, words } = table;
  const used = new Uint8Array(words[HIGH_WATER]!);
  cells.clearAll();
  let nodes = 0;
  for (let cell = ROOT; cell < used.length; cell++) {
    const at = cells.at(cell);
    if ((words[at + STATE]! & LIVE) === 0) continue;
    if (cell !== ROOT && cells.floats[at / 2]! <= 0) {
      // It was being made, or being forgotten.
      words[at + STATE] = 0;
      words[at + GENERATION]! += 1;
      continue;
    }
    nodes++;
    used[cell] = 1;
    words[at + FD] = 0;
    table.chain(cell);
    cells.eachPiece(words[at + PLACE]!, (piece) => used[piece] = 1);
    for (let owner = words[at + LOCK_OWNERS]!; owner !== 0; owner = words[cells.at(owner) + LOCK_OWNER_NEXT]!) {
      used[owner] = 1;
    }
  }
  for (let cell = used.length - 1; cell > ROOT; cell--) if (used[cell] === 0) cells.give(cell);
  words[NODES] = nodes - 1;
  words[OPEN_NODES] = 0;
  words[EVICTED] = nodes;
}

/** What files are taken back with. */
export interface Recovery {
  readonly calls: SystemCalls;
  readonly register: DescriptorRegister;
  readonly table: NodeTable;
  readonly kept: KeptFilesMemory;
  readonly state: KeptState;
  /** The directory /proc/self/fd. */
  readonly proc: number;
}

/** Takes the open files back under their numbers. A node that is open gets its descriptor from its file. */
export function takeBackFiles(recovery: Recovery): void {
  const { calls, register, kept, state } = recovery;
  const slots = usedSlotWords(kept);
  if (slots.length === 0) return;
  settleInterrupted(recovery, slots);
  const owned = lockOwnerDescriptors(recovery.table);
  using reader = new DescriptorReader(kept.descriptors);
  const files: number[] = [];
  for (let slot = 0; slot < slots.length; slot++) {
    if (kindOf(slots[slot]!) === LOCK_OWNER && !owned.has(kept.base + slot)) slots[slot] = 0;
    if (slots[slot] === RETIRED) slots[slot] = 0;
    const word = slots[slot]!;
    if (!isFile(word)) continue;
    const descriptor = register.add(moveTo(calls, reader.take(slot), kept.base + slot), kindOf(word));
    if (FILE_KINDS.has(kindOf(word)) && nodeOf(word) !== 0) reopenNode(recovery, nodeOf(word), descriptor);
    files.push(slot);
  }
  state.claim(files, (isClaimed) => park(recovery, isClaimed));
}

/** Holds the numbers that are parked. One that another source of this server has by now is not to be this one's again. */
function park({ calls, register, kept, state, proc }: Recovery, isClaimed: (slot: number) => boolean): void {
  const slots = usedSlotWords(kept);
  for (let slot = 0; slot < slots.length; slot++) {
    if (kindOf(slots[slot]!) !== PARKED) continue;
    if (isClaimed(slot)) slots[slot] = RETIRED;
    else register.add(moveTo(calls, duplicate(calls, proc), kept.base + slot), PARKED);
    state.claim([slot]);
  }
}

function isFile(word: number): boolean {
  return word !== 0 && kindOf(word) !== PARKED;
}

/** Takes back what requests opened that come again, and parks what they have released: also over further deaths. */
function settleInterrupted({ kept, state: { interrupted } }: Recovery, slots: Int32Array): void {
  for (const [loop, unique] of interrupted.entries()) {
    if (unique === undefined || loop >= kept.loops) continue;
    const record = recordWords(kept, loop);
    const opened = recordedFor(record, OPENED, unique);
    // A lock owner's is its chain's: see below.
    if (opened >= 0 && FILE_KINDS.has(kindOf(slots[opened - kept.base]!))) slots[opened - kept.base] = 0;
    const released = recordedFor(record, RELEASED, unique);
    if (released >= 0 && slots[released - kept.base] === RETIRED) slots[released - kept.base] = PARKED;
  }
}

function lockOwnerDescriptors({ cells, words }: NodeTable): Set<number> {
  const owned = new Set<number>();
  for (let cell = ROOT; cell < words[HIGH_WATER]!; cell++) {
    const at = cells.at(cell);
    if ((words[at + STATE]! & LIVE) === 0) continue;
    for (let owner = words[at + LOCK_OWNERS]!; owner !== 0; owner = words[cells.at(owner) + LOCK_OWNER_NEXT]!) {
      owned.add(words[cells.at(owner) + LOCK_OWNER_DESCRIPTOR]!);
    }
  }
  return owned;
}

/** A file that nobody will close may have outlived its node: then the cell is another's. */
function reopenNode({ calls, register, table, proc }: Recovery, cell: number, descriptor: number): void {
  const at = table.cells.at(cell);
  if ((table.words[at + STATE]! & LIVE) === 0 || table.words[at + FD] !== 0) return;
  const status = new FileStatus();
  const known = calls.files.statx(descriptor, EMPTY, AT_EMPTY_PATH, STATX_MASK, status.buffer) >= 0;
  if (!known || !table.matches(cell, status.readKey())) return;
  const found = calls.files.openat(proc, new StringBuffer(16).putNumber(descriptor), O_PATH | O_CLOEXEC, 0);
  if (found >= 0) table.reopen(cell, register.add(found, NODE));
}

function duplicate(calls: SystemCalls, descriptor: number): number {
  return calls.files.fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
}

function moveTo(calls: SystemCalls, descriptor: number, number: number): number {
  if (descriptor < 0 || calls.files.dup2(descriptor, number) < 0) {
    throw new FsError("EMFILE", `Cannot take back the open file ${number}: raise the limit of open files`);
  }
  calls.close(descriptor);
  calls.files.fcntl(number, F_SETFD, FD_CLOEXEC);
  return number;
}
