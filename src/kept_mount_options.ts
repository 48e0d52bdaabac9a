/** How to keep a mount that processes of their own serve, and what can be kept so. */
import type { FileSystem } from "./fs/filesystem.ts";
import type { LimitOptions } from "./handler/limits.ts";
import type { MountOptions } from "./mount_options.ts";
import type { LoopPlacement } from "./placements/loops.ts";
import type { HandlerPlacement } from "./placements/workers.ts";

/**
 * How to keep a mount that a process of its own serves. When that one dies, another takes its place, and the programs
 * that use the mount notice a pause; see docs/keeper.md. The options of the module must be what JSON can say.
 */
export interface KeptMountOptions extends Omit<MountOptions, "transport" | "control"> {
  /** That another process serves; without it this one does (`MountOptions`). */
  readonly process: "separate";
  /** Answer `cli.ts status` and `cli.ts restart`. Default false. */
  readonly control?: boolean;
  /** How many servers that died are replaced within a minute. Default 3. */
  readonly restarts?: number;
  /** Seconds after which a server counts as hung that is at one request, or takes none: it is replaced. Default 120. */
  readonly hangTimeout?: number;
  /**
   * Whether the next server waits already, its code loaded, so that the pause is shorter. It takes memory meanwhile, as
   * much as a server that does nothing. Default false.
   */
  readonly spare?: boolean;
  /**
   * Whether the kernel is asked to send again what a dead server left unanswered, where it can (Linux 6.9). Default true;
   * false is to see what a mount is on an older kernel: made anew for each server.
   */
  readonly resend?: boolean;
}

/** The usual `hangTimeout`, in seconds: longer than a disk takes for what is asked of it at a time, but on a very bad day. */
export const HANG_TIMEOUT = 120;

/** The longest `hangTimeout`: a week, which timers can still count in milliseconds (2³¹ of them). */
export const LONGEST_HANG = 7 * 24 * 3600;

/**
 * Before the options go to another process: JSON would make null of a number that is not finite.
 *
 * @throws {TypeError} for a `process` that there is not. @throws {RangeError} for numbers that make no sense.
 */
export function checkKept({ process, restarts = 0, hangTimeout = 1 }: Partial<KeptMountOptions>): void {
  if (process !== undefined && process !== "separate") {
    throw new TypeError(`Cannot mount with process ${JSON.stringify(process)}: it is "separate", or left out`);
  }
  if (!Number.isSafeInteger(restarts) || restarts < 0) {
    throw new RangeError(`Cannot replace ${restarts} servers a minute: restarts is a whole number from 0`);
  }
  if (!(hangTimeout > 0 && hangTimeout <= LONGEST_HANG)) {
    throw new RangeError(
      `Cannot wait ${hangTimeout} s for a server: hangTimeout is above 0, and at most a week (${LONGEST_HANG})`,
    );
  }
}

/**
 * What can be told to another process.
 *
 * @throws {TypeError} for an object, which no other process could serve. @throws {RangeError} for limits that JSON cannot say.
 */
export function keepable(
  filesystem: FileSystem | LoopPlacement | HandlerPlacement,
  { deadlines, bounds }: LimitOptions = {},
): LoopPlacement | HandlerPlacement {
  if (!("module" in filesystem)) {
    throw new TypeError(
      "Only a module can be served by a process of its own, which loads it: mount({ module }, mountpoint); an object " +
        "lives in the process that made it, and ends with it",
    );
  }
  const beside = filesystem.placement === "handler" ? [] : filesystem.handlers ?? [];
  for (const limits of [{ ...deadlines && { deadlines }, ...bounds && { bounds } }, ...beside]) refuseEndless(limits);
  return filesystem;
}

function refuseEndless(limits: LimitOptions): void {
  for (const [table, values] of Object.entries(limits)) {
    for (const [key, value] of Object.entries(values as Record<string, number>)) {
      if (value !== Infinity) continue;
      const advice = table === "deadlines" ? "leave it out, which says the same" : "name a number";
      throw new RangeError(`Cannot tell another process of ${table}.${key} = Infinity, as JSON has none: ${advice}`);
    }
  }
}
