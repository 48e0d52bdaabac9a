/** `list`: this user's mounts, a line each. */
import type { Command } from "../command_line/command.ts";
import { Failure } from "./failure.ts";
import { findStaleness } from "./findings.ts";
import { describeList } from "./mount_list.ts";
import { examineMounts, type MountState, type MountStatus } from "./mount_status.ts";
import { JSON_OPTION } from "./shared_options.ts";

/** One mount, as `list --json` prints it. */
export interface ListedMount {
  readonly mountpoint: string;
  /** What is mounted, and as which type; null for what the mount table no longer shows. */
  readonly source: string | null;
  readonly type: string | null;
  /** As in `status`, but `stale` when its server is gone. */
  readonly state: Exclude<MountState, "gone"> | "stale";
  /** What its server says: null when there is none that answers. */
  readonly pid: number | null;
  readonly uptimeSeconds: number | null;
  /** The process that serves, when `pid` is its keeper. */
  readonly server: number | null;
  /** Why it has no keeper, where it says so. */
  readonly noKeeper: string | null;
  /** How many requests it has answered. */
  readonly requests: number | null;
  /** What is wrong and what to do; null when all is well. */
  readonly advice: string | null;
}

/** How long a mount without a control socket may take to answer, in milliseconds; a busy machine is no fault of its. */
const ANSWER_LIMIT = 5_000;

/** The command. */
export const COMMAND: Command = {
  name: "list",
  summary: "list this user's mounts",
  description:
    "List this user's mounts of Trellis: what is mounted where, who serves it, for how long, and how many requests " +
    "were answered. A mount whose server is gone is listed as stale, with what to do.",
  options: [JSON_OPTION],
  after: "Ends with 10 when a mount is stale or does not answer, otherwise with 0.",
  run: ({ has }) => list(has("json")),
};

async function list(json: boolean): Promise<void> {
  const mounts = await Promise.all((await examineMounts()).map(toListed));
  console.log(json ? JSON.stringify(mounts, undefined, 2) : describeList(mounts));
  const silent = mounts.filter(({ state }) => FAULTS.includes(state)).map(({ mountpoint }) => mountpoint);
  if (silent.length > 0) throw new Failure("NO_ANSWER", `Stale or silent: ${silent.join(", ")}`);
}

const FAULTS: readonly ListedMount["state"][] = ["stale", "not answering", "refusing"];

async function toListed(mount: MountStatus): Promise<ListedMount> {
  const { mountpoint, source = null, type = null, report, problem = null } = mount;
  const state = await stateOf(mount);
  const unmounting = `${Deno.uid() === 0 ? "umount" : "fusermount3 -u"} ${mountpoint}`;
  const stale = `its server is gone: unmount it (${unmounting}), or mount there again, which replaces it`;
  return {
    mountpoint,
    source,
    type,
    state,
    pid: report?.pid ?? null,
    server: report?.server?.pid ?? null,
    noKeeper: report?.noKeeper ?? null,
    uptimeSeconds: report?.uptimeSeconds ?? null,
    requests: report === undefined ? null : sum(Object.values(report.operations).map(({ count }) => count)),
    advice: state === "stale" ? stale : problem,
  };
}

/** Of a mount without a control socket only the kernel can say whether it has a server. */
async function stateOf({ state, mountpoint }: MountStatus): Promise<ListedMount["state"]> {
  if (state === "gone") return "stale";
  if (state !== "no control socket") return state;
  const staleness = await findStaleness(mountpoint, ANSWER_LIMIT);
  if (staleness === "disconnected") return "stale";
  return staleness ?? state;
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0);
}
