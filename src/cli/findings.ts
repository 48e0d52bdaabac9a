/** What doctor finds on a machine. */
import { MountError } from "../connection/connection.ts";
import { type MountEntry, readMountTable } from "../connection/mount_table.ts";
import { askServer, isStale } from "../connection/mountpoint.ts";
import { type KernelFacts, probeKernel } from "../connection/probe.ts";
import { examineIdleCores, type IdleCores } from "./idle_cores.ts";
import type { KeeperChoice } from "./keeper_choice.ts";
import { examineKernelPassthrough, type KernelPassthroughFindings } from "./kernel_passthrough.ts";
import { chooseForDirectory, examineSeparateProcess, type SeparateProcessFindings } from "./separate_process.ts";
import { whyNoUring } from "../transport/uring_support.ts";
import { type FuseDevice, inspectFuseDevice } from "./fuse_device.ts";
import {
  examineFusermount,
  examineLibfuse,
  findProblems,
  type FusermountFindings,
  type LibfuseFindings,
} from "./requirements.ts";

/** What `doctor --json` prints. */
export interface Findings {
  /** Whether this user can mount here. */
  readonly canMount: boolean;
  /** Why not, each with what to do. */
  readonly problems: readonly string[];
  readonly deno: { readonly version: string };
  readonly libfuse: LibfuseFindings;
  /** The set-user-id program through which an ordinary user mounts; undefined when it is not on the PATH. */
  readonly fusermount: FusermountFindings | undefined;
  readonly device: FuseDevice;
  /** Whether ordinary users may use allow_other. */
  readonly userAllowOther: boolean;
  readonly kernel: KernelFindings;
  readonly kernelPassthrough: KernelPassthroughFindings;
  readonly uring: UringFindings;
  readonly idleCores: IdleCores;
  readonly separateProcess: SeparateProcessFindings;
  /** Whether a mount of a directory has a keeper when nobody says. */
  readonly keeperByDefault: KeeperChoice;
  readonly staleMounts: readonly StaleMount[];
}

interface KernelFindings {
  readonly release: string;
  /** What its FUSE offers, as a short mount showed; undefined when that did not work. */
  readonly fuse: KernelFacts | undefined;
  /** Whether the kernel lets FUSE use io_uring: an administrator can switch it on where it is "off". */
  readonly uring: "on" | "off" | "absent";
}

/** Whether mounts of this user's can have io_uring as their transport, and why not. */
interface UringFindings {
  readonly usable: boolean;
  readonly reason: string | undefined;
}

/** A FUSE mount that answers nobody. */
export interface StaleMount {
  readonly mountpoint: string;
  readonly type: string;
  /** Its server is gone, or does not answer. */
  readonly state: "disconnected" | "not answering";
}

/**
 * Looks at everything that mounting needs and, where it is there, mounts for a moment. Nothing is left. `source`: the
 * directory that somebody wants to mount.
 */
export async function examine(source?: string): Promise<Findings> {
  const problems = await findProblems();
  const probe = problems.length === 0 ? await examineFuse(problems) : undefined;
  const noUring = whyNoUring();
  return {
    canMount: problems.length === 0,
    problems,
    deno: { version: Deno.version.deno },
    libfuse: await locateLibfuse(),
    fusermount: await examineFusermount(),
    device: await inspectFuseDevice(),
    userAllowOther: await readUserAllowOther(),
    kernel: { release: Deno.osRelease(), fuse: probe?.facts, uring: await readUring() },
    kernelPassthrough: await examineKernelPassthrough(probe?.backing, source),
    uring: { usable: noUring === undefined, reason: noUring },
    idleCores: await examineIdleCores(),
    separateProcess: examineSeparateProcess(probe?.facts),
    keeperByDefault: chooseForDirectory(probe?.facts),
    staleMounts: await findStaleMounts(),
  };
}

async function examineFuse(problems: string[]): Promise<Awaited<ReturnType<typeof probeKernel>> | undefined> {
  try {
    return await probeKernel();
  } catch (error) {
    if (!(error instanceof MountError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

/** With the file that its name has loaded. */
async function locateLibfuse(): Promise<LibfuseFindings> {
  const { path, ...findings } = examineLibfuse();
  return { path: path && (await loadedFile("libfuse3") ?? path), ...findings };
}

/** The file behind a library that this process has loaded. */
async function loadedFile(name: string): Promise<string | undefined> {
  const maps = await Deno.readTextFile("/proc/self/maps");
  return maps.split("\n").map((line) => line.slice(line.indexOf("/"))).find((path) => path.includes(`/${name}`));
}

/** The module's parameter, which kernels from 6.14 have. */
async function readUring(): Promise<KernelFindings["uring"]> {
  const value = await Deno.readTextFile("/sys/module/fuse/parameters/enable_uring").catch(() => undefined);
  if (value === undefined) return "absent";
  return value.startsWith("Y") ? "on" : "off";
}

async function readUserAllowOther(): Promise<boolean> {
  const text = await Deno.readTextFile("/etc/fuse.conf").catch(() => "");
  return /^user_allow_other\s*$/m.test(text);
}

/** How long a mount may take to answer, in milliseconds. */
const ANSWER_LIMIT = 1000;

async function findStaleMounts(): Promise<StaleMount[]> {
  const mounts = (await readMountTable()).filter(isFuse);
  const states = await Promise.all(mounts.map(({ mountpoint }) => findStaleness(mountpoint)));
  return mounts.flatMap(({ mountpoint, type }, index) => {
    const state = states[index];
    return state === undefined ? [] : [{ mountpoint, type, state }];
  });
}

/** Whether a mount answers nobody within `limit` milliseconds; undefined when it answers. */
export async function findStaleness(
  mountpoint: string,
  limit = ANSWER_LIMIT,
): Promise<StaleMount["state"] | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<"not answering">();
  const timer = setTimeout(() => resolve("not answering"), limit);
  // Another user's mount refuses (EACCES), which is an answer too.
  const answer = askServer(mountpoint).then(
    () => undefined,
    (error) => isStale(error) ? "disconnected" as const : undefined,
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Why there is nothing to talk to or to end at a place where `mount` is mounted; undefined when it is FUSE. */
export function whyNoFuse(mount: MountEntry | undefined): string | undefined {
  if (mount === undefined) return "nothing is mounted there";
  return isFuse(mount) ? undefined : `what is mounted there is ${mount.type}, not FUSE`;
}

/** Whether a FUSE filesystem is what is mounted. */
export function isFuse({ type }: MountEntry): boolean {
  return type === "fuse" || type === "fuseblk" || type.startsWith("fuse.");
}
