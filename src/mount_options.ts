/** How a mount is to be: what everybody who mounts may say, and the words that libfuse and the servers have for it. */
import type { ReloadReport, ReloadRequest } from "./control/messages.ts";
import { completeLimits, type LimitOptions, type Limits } from "./handler/limits.ts";
import type { ReplyDefaults } from "./protocol/reply.ts";
import type { Transport } from "./transport/choice.ts";

export type { ReloadReport, ReloadRequest };

/** What a mount does when it is asked to on its control socket, and what it says there beside what it knows itself. */
export interface ControlHooks {
  /** `cli.ts reload`: makes the tree as a configuration says. */
  reload?(request: ReloadRequest): Promise<ReloadReport>;
  /** `cli.ts status`: why no keeper holds the mount. */
  readonly noKeeper?: string;
}

/**
 * How to mount. Timeouts are in seconds. `deadlines` and `bounds`, in milliseconds and requests, are for placement
 * "handler": methods inside a loop answer at once.
 */
export interface MountOptions extends LimitOptions {
  /** Further options of mount.fuse3(8), each as `name` or `name=value`; commas in a value are escaped with `\`. */
  readonly options?: readonly string[];
  /** What the mount table shows as its source. Default `trellis`. */
  readonly filesystemName?: string;
  /** The mount's type is `fuse.` and this. Default `trellis`; stale mounts are recognised by it. */
  readonly subtype?: string;
  /** How long the kernel may believe a name. Default 1. */
  readonly entryTimeout?: number;
  /** How long the kernel may believe attributes. Default 1. */
  readonly attributesTimeout?: number;
  /** How long the kernel may believe that a name is not there. Default 0: not at all. */
  readonly negativeTimeout?: number;
  /** Refuse every change (`EROFS`). Default false. */
  readonly readOnly?: boolean;
  /** Let other users in. As an ordinary user this needs `user_allow_other` in /etc/fuse.conf. */
  readonly allowOther?: boolean;
  /** Let the kernel check permissions by mode and owner. */
  readonly defaultPermissions?: boolean;
  /** The largest read in bytes. */
  readonly maxRead?: number;
  /**
   * Answer `cli.ts status` of this user, on a control socket in the user's runtime directory. Default false. Where there
   * can be no such socket, the log says why and the mount does without. Hooks are what else it can be asked to do.
   */
  readonly control?: boolean | ControlHooks;
  /**
   * How requests come and answers go: over `/dev/fuse` ("device") or over io_uring ("uring": placement "loop", Linux 6.14
   * or newer with the fuse module's parameter `enable_uring` on). Default "auto": io_uring where it can
   * be had and every core gets a loop, otherwise the device.
   */
  readonly transport?: Transport | "auto";
  /** Log every request and its answer. */
  readonly debug?: boolean;
  /** Told what goes wrong inside the filesystem. Default: standard error. */
  readonly log?: (message: string, detail: string) => void;
}

const TIMEOUTS = ["entryTimeout", "attributesTimeout", "negativeTimeout"] as const;

/**
 * On the wire a timeout has neither a sign nor an infinity: what has one would come out as another.
 *
 * @throws {RangeError} for a timeout or a `maxRead` that makes no sense.
 */
export function checkNumbers(options: Partial<MountOptions>): void {
  for (const name of TIMEOUTS) {
    const seconds = options[name];
    if (seconds === undefined || (seconds >= 0 && Number.isFinite(seconds))) continue;
    throw new RangeError(`Cannot mount with ${name} ${seconds}: it is in seconds, from 0 to any finite number`);
  }
  const { maxRead = 0 } = options;
  if (Number.isSafeInteger(maxRead) && maxRead >= 0) return;
  throw new RangeError(`Cannot mount with maxRead ${maxRead}: it is a whole number of bytes, from 0`);
}

/**
 * Limits with nothing left open.
 *
 * @throws {TypeError} for limits of a module in loops. @throws {RangeError} for limits that make no sense.
 */
export function limitsFor(placement: "loop" | "handler", { deadlines, bounds }: LimitOptions): Limits {
  if (placement === "loop" && (deadlines ?? bounds) !== undefined) {
    throw new TypeError(
      'deadlines and bounds are for an object and for placement "handler": in a loop methods answer at once',
    );
  }
  return completeLimits({ ...deadlines && { deadlines }, ...bounds && { bounds } });
}

/** What replies say where the filesystem says nothing. */
export function replyDefaults(options: Omit<MountOptions, keyof LimitOptions>): ReplyDefaults {
  return {
    entryTimeout: options.entryTimeout ?? 1,
    attributesTimeout: options.attributesTimeout ?? 1,
    negativeTimeout: options.negativeTimeout ?? 0,
    uid: Deno.uid() ?? 0,
    gid: Deno.gid() ?? 0,
  };
}

/** mount.fuse3(8)'s words for the options. */
export function libfuseOptions(options: Omit<MountOptions, keyof LimitOptions>): string[] {
  const escape = (value: string) => value.replace(/[\\,]/g, "\\$&");
  return [
    `fsname=${escape(options.filesystemName ?? "trellis")}`,
    `subtype=${escape(options.subtype ?? "trellis")}`,
    ...options.readOnly ? ["ro"] : [],
    ...options.allowOther ? ["allow_other"] : [],
    ...options.defaultPermissions ? ["default_permissions"] : [],
    ...options.maxRead === undefined ? [] : [`max_read=${options.maxRead}`],
    ...options.options ?? [],
  ];
}

/** Where what goes wrong is told when nobody else is. */
export function logToStandardError(message: string, detail: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`trellis: ${message}\n${detail === "" ? "" : `${detail}\n`}`));
}
