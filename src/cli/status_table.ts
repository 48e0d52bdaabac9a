/** How `status` shows mounts to people. */
import type { ServerReport, StatusReport } from "../control/messages.ts";
import { latencyQuantile } from "../metrics/latency.ts";
import type { OperationMetrics } from "../metrics/metrics.ts";
import type { MountStatus } from "./mount_status.ts";
import { align, describeDuration, printable } from "./text_table.ts";

/** The mounts as text, each a paragraph. `lastAnswers` says when a server that is silent now last answered. */
export function describeMounts(mounts: readonly MountStatus[], lastAnswers: ReadonlyMap<number, Date>): string {
  if (mounts.length === 0) return "No mounts of Trellis by this user.";
  return mounts.map((mount) => describeMount(mount, lastAnswers.get(mount.connection))).join("\n\n");
}

function describeMount({ mountpoint, state, waiting, report, problem }: MountStatus, lastAnswer?: Date): string {
  const title = state === "answering" ? [] : [state.toUpperCase()];
  const since = state === "not answering" && lastAnswer !== undefined
    ? [`last answer at ${lastAnswer.toTimeString().slice(0, 8)}`]
    : [];
  const facts = [...title, ...report ? describeServer(report) : [], ...since, ...describeWaiting(waiting)];
  return [
    `${printable(mountpoint)}: ${facts.join(", ")}`,
    ...problem === undefined ? [] : [`  ${printable(problem)}`],
    ...report ? [...describeKeeper(report), describeTransport(report), ...describeReport(report)] : [],
  ].join("\n");
}

function describeServer({ placement, servers, pid, server, uptimeSeconds, minor }: StatusReport): string[] {
  return [
    `${servers} ${placement}${servers === 1 ? "" : "s"}`,
    ...server === undefined ? [`pid ${pid}`] : [`keeper ${pid}`, `server ${server.pid}`, ...describeRestarts(server)],
    `up ${describeDuration(uptimeSeconds)}`,
    `FUSE 7.${minor}`,
  ];
}

/** One that there is stands among the facts. */
function describeKeeper({ server, noKeeper }: StatusReport): string[] {
  if (server !== undefined) return [];
  return [noKeeper === undefined ? "  keeper: none" : `  keeper: none (${printable(noKeeper)})`];
}

function describeTransport({ transport, transportReason }: StatusReport): string {
  return `  transport: ${transport === "uring" ? "io_uring" : "/dev/fuse"} (${printable(transportReason)})`;
}

function describeRestarts({ restarts, mountedAnew }: ServerReport): string[] {
  const times = `${restarts} restart${restarts === 1 ? "" : "s"}`;
  return mountedAnew === 0 ? [times] : [times, `mounted anew ${mountedAnew} time${mountedAnew === 1 ? "" : "s"}`];
}

function describeWaiting(waiting: number | undefined): string[] {
  return waiting === undefined ? [] : [`${waiting} waiting in the kernel`];
}

function describeReport({ features, operations }: StatusReport): string[] {
  const rows = Object.entries(operations).map(([name, operation]) => describeOperation(name, operation));
  return [`  ${printable(features.join(" "))}`, ...align([TITLES, ...rows], NUMBERS).map((row) => `  ${row}`)];
}

const TITLES = ["operation", "count", "in flight", "queued", "dropped", "p50 <", "p99 <", "errors"];

/** The columns between operation and errors. */
const NUMBERS = [1, 2, 3, 4, 5, 6];

function describeOperation(name: string, operation: OperationMetrics): string[] {
  const { count, inFlight, queued, dropped, latency, errors } = operation;
  const quantiles = [0.5, 0.99].map((fraction) => describeMicroseconds(latencyQuantile(latency, fraction)));
  const byErrno = Object.entries(errors).map(([errno, times]) => `${errno} ${times}`).join(", ");
  return [name, ...[count, inFlight, queued, dropped].map(String), ...quantiles, byErrno].map(printable);
}

function describeMicroseconds(limit: number | undefined): string {
  if (limit === undefined) return "-";
  if (limit === Infinity) return "∞";
  if (limit < 1000) return `${limit} µs`;
  return limit < 1_000_000 ? `${round(limit / 1000)} ms` : `${round(limit / 1_000_000)} s`;
}

function round(value: number): number {
  return value < 10 ? Math.round(value * 10) / 10 : Math.round(value);
}
