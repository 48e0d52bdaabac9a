/** `status`: how this user's mounts are, by what their servers and the kernel say. */
import type { Command } from "../command_line/command.ts";
import { Failure } from "./failure.ts";
import { examineMounts, type MountStatus } from "./mount_status.ts";
import { locateMountpoint, refuseEmptyPath } from "./mountpoint.ts";
import { JSON_OPTION } from "./shared_options.ts";
import { awaitSignal } from "./signals.ts";
import { describeMounts } from "./status_table.ts";

/** The command. */
export const COMMAND: Command = {
  name: "status",
  summary: "show how mounts are, and what was asked of them",
  description:
    "Show the mount at MOUNTPOINT, or all mounts of this user: what its server says on its control socket, checked " +
    "against the kernel's mount table. The mountpoint itself is not touched, so a server that hangs holds up nothing.",
  arguments: [["[mountpoint]", "where it is mounted"]],
  options: [
    { ...JSON_OPTION, description: "print JSON, for programs; with --watch a line each time" },
    { name: "watch", letter: "w", value: "[seconds]", description: "show it again and again, until Ctrl-C" },
  ],
  after:
    "Latencies are upper bounds, by powers of two. Ends with 10 when a mount does not answer, with 6 when it is not " +
    "mounted. With OTEL_DENO=true, --watch also sends what it shows to an OpenTelemetry collector.",
  run: ({ words: [path], value, has }) => status(path, has("json"), readSeconds(value("watch"))),
};

const EVERY_SECONDS = 2;

/** Every how many seconds to show it; undefined for once. */
function readSeconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = text === "" ? EVERY_SECONDS : Number(text);
  if (seconds >= 0.1 && seconds <= 86400) return seconds;
  const advice = "it takes seconds, from 0.1 to 86400; write a mountpoint before it";
  throw new Failure("USAGE", `Cannot use --watch ${text}: ${advice}`);
}

async function status(path: string | undefined, json: boolean, everySeconds: number | undefined): Promise<void> {
  refuseEmptyPath(path, "show the mount at");
  const mountpoint = path === undefined ? undefined : await locateMountpoint(path);
  if (everySeconds !== undefined) return await watchMounts(mountpoint, json, everySeconds);
  const mounts = await examineMounts(mountpoint);
  if (mounts.length === 0 && mountpoint !== undefined) {
    throw new Failure("NOT_MOUNTED", `Cannot show ${path}: no FUSE filesystem is mounted there, and no server says so`);
  }
  console.log(json ? toJson(mounts, 2) : describeMounts(mounts, new Map()));
  refuse(mounts);
}

/** What is not as it should be decides the exit code. */
function refuse(mounts: readonly MountStatus[]): void {
  const names = (wanted: (mount: MountStatus) => boolean) =>
    mounts.filter(wanted).map(({ mountpoint }) => mountpoint).join(", ");
  const silent = names(({ state }) => state !== "answering" && state !== "not mounted");
  if (silent !== "") throw new Failure("NO_ANSWER", `No status of ${silent}`);
  const unmounted = names(({ state }) => state === "not mounted");
  if (unmounted !== "") throw new Failure("NOT_MOUNTED", `Not mounted: ${unmounted}`);
}

async function watchMounts(mountpoint: string | undefined, json: boolean, seconds: number): Promise<void> {
  using ended = awaitSignal("SIGINT", "SIGTERM");
  const lastAnswers = new Map<number, Date>();
  let mounts: readonly MountStatus[] = [];
  using _telemetry = await startTelemetry(() => mounts);
  // Home, and clear from there: the screen does not flicker as it would when it is cleared first.
  const before = Deno.stdout.isTerminal() && !json ? "\x1b[H\x1b[J" : "";
  const after = json || before !== "" ? "\n" : "\n\n";
  for (let goesOn = true; goesOn;) {
    const found = await Promise.race([examineMounts(mountpoint), ended.signal]);
    if (typeof found === "string") return;
    mounts = found;
    mounts.filter(({ report }) => report).forEach(({ connection }) => lastAnswers.set(connection, new Date()));
    const text = json ? toJson(mounts) : describeMounts(mounts, lastAnswers);
    goesOn = await print(before + text + after) && await pause(seconds, ended.signal);
  }
}

/** Hands what is watched to Deno's OpenTelemetry when that is on; loaded only then. */
async function startTelemetry(watched: () => readonly MountStatus[]): Promise<Disposable | undefined> {
  if (!["true", "1"].includes(Deno.env.get("OTEL_DENO") ?? "")) return undefined;
  const { exportMetrics } = await import("../telemetry/mod.ts");
  const reports = () => watched().flatMap(({ report }) => report ?? []);
  return exportMetrics(() =>
    reports().map(({ mountpoint, operations }) => ({ mountpoint, metrics: () => operations }))
  );
}

/** False when nobody reads any more, as behind `| head`. */
async function print(text: string): Promise<boolean> {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let written = 0; written < bytes.length;) written += await Deno.stdout.write(bytes.subarray(written));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}

/** False when it was cut short. */
async function pause(seconds: number, end: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(true), seconds * 1000);
  const goesOn = await Promise.race([promise, end.then(() => false)]);
  clearTimeout(timer);
  return goesOn;
}

function toJson(mounts: readonly MountStatus[], indentation?: number): string {
  return JSON.stringify(mounts, (_key, value) => value ?? null, indentation);
}
