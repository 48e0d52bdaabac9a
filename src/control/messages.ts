/**
 * What is said on a mount's control socket: one frame asks for a command, one frame answers it. A new command is a new
 * line of `Commands`; the server then has to have it.
 */
import type { Metrics } from "../metrics/metrics.ts";

/** The version of everything here. Both sides refuse any other. */
export const VERSION = 1;

/** What each command answers. */
export interface Commands {
  status: StatusReport;
}

export type CommandName = keyof Commands;

/** What a server says of its mount. */
export interface StatusReport {
  /** Where it was mounted: an absolute path. */
  readonly mountpoint: string;
  readonly placement: "loop" | "handler";
  /** How requests come: over /dev/fuse or over io_uring. */
  readonly transport: "device" | "uring";
  /** How many loops, or isolates of a handler, serve it. */
  readonly servers: number;
  readonly pid: number;
  /** For how long it has been served. */
  readonly uptimeSeconds: number;
  /** The kernel's protocol is 7.`minor`. */
  readonly minor: number;
  /** The features in force, by name. */
  readonly features: readonly string[];
  readonly operations: Metrics;
}

export interface Request {
  readonly version: typeof VERSION;
  readonly command: CommandName;
}

export type Response = Answer | Refusal;

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
 * From the client: nobody listens (`gone`), or nothing came in time (`silent`).
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
  const texts = [report?.mountpoint, report?.placement, report?.transport];
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
