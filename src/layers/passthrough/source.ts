/** Opens what a passthrough mount shows and what its loops share. */
import { FsError } from "../../fs/errors.ts";
import type { KeptState } from "../../fs/module.ts";
import { O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } from "../../fs/flags.ts";
import { DescriptorRegister, FIXTURE, NODE } from "./descriptor_register.ts";
import { type FileKey, FileStatus, STATX_MASK } from "./file_status.ts";
import { CAP_SYS_ADMIN, inFirstUserNamespace, wantsKernelPassthrough } from "./kernel_passthrough.ts";
import { makeLockWaits } from "./lock_waits.ts";
import { KeptFiles, type KeptFilesMemory, keptFilesSize } from "./kept_files.ts";
import { allocateNodeMemory, EVICTED, MADE, type NodeMemory, nodeMemorySize, placeNodeMemory } from "./node_memory.ts";
import { NodeTable, ROOT } from "./node_table.ts";
import { rebuildNodes, type Recovery, takeBackFiles } from "./recovery.ts";
import type { CheckedOptions } from "./options.ts";
import { type HandleSupport, makeHandleBuffer, readHandle } from "./places.ts";
import { AT_EMPTY_PATH, AT_FDCWD, EMPTY, StringBuffer, SystemCalls } from "./system_calls.ts";

/** What all loops share; it survives a structured clone (shared buffers stay shared). */
export interface Source {
  readonly nodes: NodeMemory;
  /** One byte per descriptor (see `DescriptorRegister`). */
  readonly register: SharedArrayBuffer;
  /** The directory /proc/self/fd. */
  readonly proc: number;
  /** The source for calls that `O_PATH` does not permit; -1 when it cannot be read. */
  readonly readable: number;
  readonly device: number;
  readonly mount: number;
  /** Root that may act as others. */
  readonly privileged: boolean;
  /** Whether this process may, and the options want, that the kernel reads and writes files itself. */
  readonly kernelPassthrough: boolean;
  readonly handles: HandleSupport | undefined;
  readonly maxDescriptors: number;
  /** Where open files are that outlive this process; only where a keeper holds the mount. */
  readonly kept: KeptFilesMemory | undefined;
  /** Who waits for whose lock (see `LockWaits`). */
  readonly lockWaits: SharedArrayBuffer;
}

/** resource.h, and the most descriptors that we ask for (the kernel's usual fs.nr_open). */
const RLIMIT_NOFILE = 7;
const MOST_DESCRIPTORS = 1 << 20;

/** The first number of a kept file's descriptor: above all that a process opens for itself, but for nodes. */
const KEPT_BASE = 1 << 16;

// linux/capability.h: capabilities of the first word, and the version of the structs that has two.
const CAP_SETGID = 6;
const CAP_SETUID = 7;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** Opens the source. What stands in the way is an error that says what to do. */
export function openSource(options: CheckedOptions, loops: number, keptState?: KeptState): Source {
  // Nobody asks the next server for what this one knows, or has open, where it has a connection of its own.
  const state = keptState?.resumes ? keptState : undefined;
  const calls = new SystemCalls();
  const limit = raiseDescriptorLimit(calls);
  const buffer = new SharedArrayBuffer(limit);
  const register = new DescriptorRegister(buffer, calls);
  try {
    const root = register.add(
      openDirectory(calls, options.source, O_PATH, `open the source "${options.source}"`),
      NODE,
    );
    const proc = register.add(
      openDirectory(calls, "/proc/self/fd", O_PATH, "open /proc/self/fd (is /proc mounted?)"),
      FIXTURE,
    );
    const readable = openReadable(calls, register, options.source);
    const { key } = readStatus(calls, root);
    const { nodes, kept } = state === undefined
      ? { nodes: allocateNodeMemory(options.maxNodes, loops), kept: undefined }
      : placeKept(state, { cells: options.maxNodes, loops, limit });
    const table = new NodeTable(nodes);
    if (state === undefined || table.words[MADE] === 0) table.adoptRoot(key, root);
    else recover({ calls, register, table, kept: kept!, state, proc }, key, root);
    if (kept !== undefined) {
      // An attempt that never ends, to take a descriptor away: from here on every node's place is kept up to date.
      Atomics.add(table.words, EVICTED, 1);
      table.words[MADE] = 1;
    }
    const capabilities = effectiveCapabilities(calls);
    const privileged = capabilities.has(CAP_SETGID) && capabilities.has(CAP_SETUID);
    return {
      ...{ nodes, kept, register: buffer, proc, readable, privileged, device: key.device, mount: key.mount },
      kernelPassthrough: wantsKernelPassthrough(options) && privileged && capabilities.has(CAP_SYS_ADMIN) &&
        inFirstUserNamespace(),
      handles: privileged ? findHandleSupport(calls, root, readable, key.mount) : undefined,
      maxDescriptors: Math.min(options.maxDescriptors ?? limit >> 1, kept === undefined ? Infinity : kept.base >> 1),
      lockWaits: makeLockWaits(),
    };
  } catch (error) {
    register.closeAll();
    throw error;
  }
}

/** Kept memory, divided: the nodes, then what is open. @throws {FsError} EOPNOTSUPP where open files cannot be kept. */
function placeKept(
  state: KeptState,
  { cells, loops, limit }: { cells: number; loops: number; limit: number },
): { nodes: NodeMemory; kept: KeptFilesMemory } {
  const { descriptors } = state;
  if (descriptors === undefined) {
    throw new FsError(
      "EOPNOTSUPP",
      "Cannot keep open files for another server: that takes io_uring of Linux 6.8 (see kernel.io_uring_disabled); " +
        "or add no_resend (resend: false), and the mount is made anew for each server",
    );
  }
  const at = nodeMemorySize(cells, loops);
  const buffer = state.memory(at + keptFilesSize(loops, descriptors.slots));
  const base = Math.min(KEPT_BASE, limit >> 1);
  const slots = Math.min(descriptors.slots, limit - base);
  return {
    nodes: placeNodeMemory(buffer, cells, loops),
    kept: { buffer, at, loops, base, descriptors: { ...descriptors, slots } },
  };
}

/** Takes over what the server before had. @throws {FsError} ESTALE when the source is another directory by now. */
function recover(recovery: Recovery, key: FileKey, root: number): void {
  const { table } = recovery;
  if (!table.isRoot(key)) {
    throw new FsError("ESTALE", "Cannot go on: another directory has the source's path now (ESTALE); mount it anew");
  }
  rebuildNodes(table);
  table.reopen(ROOT, root);
  takeBackFiles(recovery);
}

/** Closes everything that the mount still holds; `removed`: also where it is kept for another server. */
export function closeSource({ register, kept }: Source, removed: boolean): void {
  const calls = new SystemCalls();
  const files = removed && kept !== undefined ? new KeptFiles(kept, calls, 0) : undefined;
  new DescriptorRegister(register, calls, files).closeAll();
}

function openDirectory(calls: SystemCalls, path: string, flags: number, attempt: string): number {
  const name = new StringBuffer().put(path);
  const descriptor = calls.files.openat(AT_FDCWD, name, flags | O_DIRECTORY | O_CLOEXEC, 0);
  if (descriptor >= 0) return descriptor;
  const { code } = calls.failure(attempt);
  throw new FsError(code, `Cannot ${attempt}: ${ADVICE[code] ?? code}`);
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist; make it first, or name another directory (ENOENT)",
  ENOTDIR: "it is not a directory; name the directory that holds it (ENOTDIR)",
  EACCES: "a directory on the way to it may not be entered; run as a user who may (EACCES)",
  ENOTCONN: "it is a mount whose server is gone; unmount it first (ENOTCONN)",
};

function openReadable(calls: SystemCalls, register: DescriptorRegister, path: string): number {
  const name = new StringBuffer().put(path);
  const descriptor = calls.files.openat(AT_FDCWD, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  return descriptor < 0 ? -1 : register.add(descriptor, FIXTURE);
}

function readStatus(calls: SystemCalls, descriptor: number): FileStatus {
  const status = new FileStatus();
  const result = calls.files.statx(descriptor, EMPTY, AT_EMPTY_PATH, STATX_MASK, status.buffer);
  calls.check(result, "read the status of the source (statx; Linux 4.11 or newer)");
  status.readKey();
  return status;
}

/** Every file that the kernel knows may take a descriptor, so the soft limit goes up to the hard one. */
function raiseDescriptorLimit(calls: SystemCalls): number {
  const limits = new BigUint64Array(2);
  calls.check(calls.files.prlimit(0, RLIMIT_NOFILE, null, limits), "read the limit of open files");
  const [soft, hard] = [limits[0]!, limits[1]!];
  const wanted = hard < BigInt(MOST_DESCRIPTORS) ? hard : BigInt(MOST_DESCRIPTORS);
  if (soft >= wanted) return Number(soft < BigInt(MOST_DESCRIPTORS) ? soft : MOST_DESCRIPTORS);
  limits[0] = wanted;
  calls.check(calls.files.prlimit(0, RLIMIT_NOFILE, limits, null), `raise the limit of open files to ${wanted}`);
  return Number(wanted);
}

/** What root may do; nothing for others, whose capabilities would not follow the filesystem uid. */
function effectiveCapabilities(calls: SystemCalls): { has(capability: number): boolean } {
  if (calls.files.geteuid() !== 0) return { has: () => false };
  const header = new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]);
  // Two times effective, permitted and inheritable ones.
  const sets = new Uint32Array(6);
  calls.check(calls.files.capget(header, sets), "read what this process may do");
  return { has: (capability) => ((sets[0]! >>> capability) & 1) === 1 };
}

/** Whether the source's filesystem finds files by handle for us: tried on the source itself. */
function findHandleSupport(
  calls: SystemCalls,
  root: number,
  readable: number,
  mount: number,
): HandleSupport | undefined {
  if (readable < 0) return undefined;
  const handle = makeHandleBuffer();
  if (readHandle(calls, root, handle) === undefined) return undefined;
  const found = calls.files.open_by_handle_at(readable, handle, O_PATH | O_CLOEXEC);
  if (found < 0) return undefined;
  calls.close(found);
  return { descriptor: readable, mount };
}
