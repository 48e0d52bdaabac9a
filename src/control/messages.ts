/**
 * What is said on a mount's control socket: one frame asks for a command, one frame answers it. A new command is a new
 * line of `Commands`; the server then has to have it.
 */
import type { Metrics } from "../metrics/metrics.ts";

/** The version of everything here. Both sides refuse any other. */
export const VERSION = 1;

/** What each command is given and answers. */
export interface Commands {
  status: { readonly given: undefined; readonly answer: StatusReport };
  /** Only of a mount whose tree a configuration describes. */
  reload: { readonly given: ReloadRequest; readonly answer: ReloadReport };
  /** Has another server take this one's place, and says which. Only where a keeper holds the mount. */
  restart: { readonly given: undefined; readonly answer: ServerReport };
}

export type CommandName = keyof Commands;

/** How long another server may take, in milliseconds: the last one has ten seconds to end. */
export const RESTART_DEADLINE = 30_000;

/** The process that serves a mount which a keeper holds. */
export interface ServerReport {
  readonly pid: number;
  /** How many there were before it. */
  readonly restarts: number;
  /** How often the mount was made anew for another, because the kernel could not send requests again. */
  readonly mountedAnew: number;
}

/** What a server says of its mount. */
export interface StatusReport {
  /** Where it was mounted: an absolute path. */
  readonly mountpoint: string;
  readonly placement: "loop" | "handler";
  /** How requests come: over /dev/fuse or over io_uring. */
  readonly transport: "device" | "uring";
  /** Why so, for people. */
  readonly transportReason: string;
  /** How many loops, or isolates of a handler, serve it. */
  readonly servers: number;
  readonly pid: number;
  /** The process that serves, when `pid` only keeps the mount, and how many there were before it. */
  readonly server?: ServerReport;
  /** Why there is no other process that only keeps the mount, where that is known. */
  readonly noKeeper?: string;
  /** For how long it has been served. */
  readonly uptimeSeconds: number;
  /** The kernel's protocol is 7.`minor`. */
  readonly minor: number;
  /** The features in force, by name. */
  readonly features: readonly string[];
  readonly operations: Metrics;
}

/** How long `reload` may take, in milliseconds. */
export const RELOAD_DEADLINE = 120_000;

/** How a configuration is to be read again. */
export interface ReloadRequest {
  /** The file's absolute path; it has to be the one that was mounted. Undefined: whichever that is. */
  readonly file?: string | undefined;
  /** Only say what is different. */
  readonly dryRun: boolean;
  /** What is open in branches that go lives until it is closed. */
  readonly lazy: boolean;
}

/** What came of it. */
export interface ReloadReport {
  /** Where the tree is mounted. */
  readonly mountpoint: string;
  /** The file's absolute path. */
  readonly file: string;
  /** What is wrong with the configuration, a line each. With any of these, nothing else is said. */
  readonly problems: readonly string[];
  /** What is different about the branches. */
  readonly branches: readonly BranchDifference[];
  /** What cannot change while mounted: with any of these, nothing changes. */
  readonly fixed: readonly FixedDifference[];
  /** Whether the tree is now as the configuration says. */
  readonly applied: boolean;
  /** How many files and directories of branches that went were open. */
  readonly opened: number;
  /** Who has not come round to what was applied, for people; undefined for nobody. */
  readonly late?: string | undefined;
}

/** A branch that is not as it was. */
export interface BranchDifference {
  readonly change: "added" | "removed" | "replaced";
  readonly path: string;
  /** Its type; of one that is replaced, the new one's. */
  readonly type: string;
  /** What is lost with it, for people; undefined for nothing. */
  readonly loss?: string | undefined;
  /** What one that is replaced has otherwise than before. */
  readonly keys: readonly KeyDifference[];
}

/** A key of a table and its values as TOML; undefined where it is not set. */
export interface KeyDifference {
  readonly key: string;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** Something that is different and cannot change while mounted. */
export interface FixedDifference extends KeyDifference {
  /** Why not, and what to do. */
  readonly advice: string;
}

export interface Request {
  readonly version: typeof VERSION;
  readonly command: CommandName;
  readonly given?: unknown;
}

export interface Answer {
  readonly version: typeof VERSION;
  readonly result: unknown;
}

export interface Refusal {
  readonly version: typeof VERSION;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

/**
 * Why there is no result. From the server: the peer is another user (`forbidden`), the bytes are no frame or no message
 * (`malformed`), another version or no such command is asked for (`version`, `command`), the command failed (`failed`).
 * From the client: nobody listens (`gone`), or nothing came in time (`silent`), which a keeper says
 * of its server too.
 */
export type ErrorCode = "forbidden" | "malformed" | "version" | "command" | "failed" | "gone" | "silent";

/** A command was not answered; the message says which, where, and why. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The request in a frame. @throws {ControlError} when there is none for one of `known`. */
export function readRequest(value: unknown, known: readonly string[]): Request {
  const { command } = readVersioned(value);
  if (typeof command !== "string" || !known.includes(command)) {
    throw new ControlError("command", `There is no command ${JSON.stringify(command)}: known are ${known.join(", ")}`);
  }
  return value as Request;
}

/** The result in a frame. @throws {ControlError} when it is a refusal, or no answer at all. */
export function readResult(value: unknown): unknown {
  const response = readVersioned(value);
  if ("result" in response) return response.result;
  const { code, message } = (response.error ?? {}) as Partial<Refusal["error"]>;
  if (typeof code !== "string" || typeof message !== "string") {
    throw new ControlError("malformed", "The answer has neither a result nor an error");
  }
  throw new ControlError(code, message);
}

function readVersioned(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ControlError("malformed", "A message is an object with a version");
  }
  const { version } = value as { version?: unknown };
  if (version !== VERSION) {
    throw new ControlError("version", `Version ${JSON.stringify(version)} is not spoken here, only ${VERSION}`);
  }
  return value as Record<string, unknown>;
}

/** The report in a result. @throws {ControlError} when what people would read is missing. */
export function readStatusReport(value: unknown): StatusReport {
  const report = value as StatusReport | null;
  const numbers = [report?.servers, report?.pid, report?.uptimeSeconds, report?.minor];
  const texts = [report?.mountpoint, report?.placement, report?.transport, report?.transportReason];
  if (
    numbers.some((field) => typeof field !== "number") || texts.some((field) => typeof field !== "string") ||
    !Array.isArray(report?.features) || typeof report?.operations !== "object" || report.operations === null ||
    !Object.values(report.operations).every(isOperation)
  ) throw new ControlError("malformed", "The answer is no status report");
  return report;
}

function isOperation(value: unknown): boolean {
  const { count, errors, inFlight, queued, dropped, latency } = (value ?? {}) as Record<string, unknown>;
  return [count, inFlight, queued, dropped].every((figure) => typeof figure === "number") &&
    typeof errors === "object" && errors !== null && Array.isArray(latency);
}

/** The request of `reload`. @throws {ControlError} when it is none. */
export function readReloadRequest(given: unknown): ReloadRequest {
  const { file, dryRun, lazy } = (given ?? {}) as Record<string, unknown>;
  if ((file !== undefined && typeof file !== "string") || typeof dryRun !== "boolean" || typeof lazy !== "boolean") {
    throw new ControlError("malformed", "The request is not one to reload");
  }
  return { file, dryRun, lazy };
}

/** The report of `reload` in a result. @throws {ControlError} when what people would read is missing. */
export function readReloadReport(value: unknown): ReloadReport {
  const report = value as ReloadReport | null;
  const lists = [report?.problems, report?.branches, report?.fixed];
  const texts = [report?.mountpoint, report?.file];
  if (!lists.every(Array.isArray) || texts.some((text) => typeof text !== "string")) {
    throw new ControlError("malformed", "The answer is no report of a reload");
  }
  return report!;
}
