/** The options of mount.fuse3(8) that Trellis knows, for -o and for `mount.options` of a configuration. */
import { HANG_TIMEOUT, LONGEST_HANG } from "../kept_mount_options.ts";
import type { MountOptions } from "../mount.ts";
import { MOST_RESTARTS } from "../threads/restart_budget.ts";
import { nearestName } from "./nearest_name.ts";
import { OptionError, readCount, readSeconds, readSomeSeconds, readWord } from "./option_values.ts";
import { MAX_READ, RESTARTS } from "./values.ts";

/** The options of `mount`, one set after the other. */
export type MountSettings = { -readonly [Name in keyof MountOptions]: MountOptions[Name] } & { options: string[] };

/** Options by name, and what each does to a `Target`. */
export type Rules<Target> = Readonly<Record<string, OptionRule<Target>>>;

/** One option. */
export interface OptionRule<Target> {
  /** What kind of value the option takes, for the help; undefined when it takes none. */
  readonly value?: string;
  readonly help: string;
  /** `value` is what stands after the `=`, empty when there is none. */
  apply(target: Target, value: string, option: string): void;
}

/**
 * Which process serves a mount: the one that mounts (same), one of its own, while the one that mounts keeps the mount
 * (separate), or the latter wherever what is mounted goes on with another server (auto).
 */
export type ProcessWish = (typeof PROCESSES)[number];

const PROCESSES = ["auto", "separate", "same"] as const;

/** Which process serves a mount, and how, as far as it is said. */
export interface ServerSettings {
  process?: ProcessWish;
  /** Whether the kernel is to send another server what one left unanswered (`no_resend`). */
  resend?: boolean;
  /** Whether the next server waits already (`spare`). */
  spare?: boolean;
  /** How many servers that died are replaced within a minute (`restarts`). */
  restarts?: number;
  /** Seconds after which a server counts as hung (`hang_timeout`). */
  hangTimeout?: number;
}

/** What the options of every mount change. */
export interface MountTarget extends ServerSettings {
  mount: MountSettings;
}

/** An option without a value. */
export function flag<Target>(help: string, apply: (target: Target) => void): OptionRule<Target> {
  return { help, apply };
}

// Those that the kernel or fusermount3 understand go on as they are.
function handedOn(help: string): OptionRule<MountTarget> {
  return { help, apply: ({ mount }, _value, option) => mount.options.push(option) };
}

// libfuse keeps these to itself when it asks fusermount3 (get_mnt_flag_opts in lib/mount.c), and says nothing.
function ofRoot(help: string): OptionRule<MountTarget> {
  const { apply } = handedOn(help);
  return {
    help,
    apply(target, value, option) {
      if (Deno.uid() !== 0) {
        throw new OptionError(`The mount option "${option}" is for root alone: leave it out, or mount as root`);
      }
      apply(target, value, option);
    },
  };
}

function seconds(
  help: string,
  field: "attributesTimeout" | "entryTimeout" | "negativeTimeout",
): OptionRule<MountTarget> {
  return { value: "SECONDS", help, apply: ({ mount }, value, option) => mount[field] = readSeconds(value, option) };
}

const TRANSPORTS = ["auto", "device", "uring"] as const;

/** Options of every mount, in the order of the help. */
export const GENERAL_OPTIONS: Rules<MountTarget> = {
  ro: flag("read-only", ({ mount }) => mount.readOnly = true),
  rw: flag("writable (the default)", ({ mount }) => mount.readOnly = false),
  suid: ofRoot("let set-user-id and set-group-id bits take effect (root only)"),
  nosuid: handedOn("ignore them (the default)"),
  dev: ofRoot("let device nodes work (root only)"),
  nodev: handedOn("ignore device nodes (the default)"),
  exec: handedOn("let programs run (the default)"),
  noexec: handedOn("let no program run"),
  sync: handedOn("write synchronously"),
  async: handedOn("write asynchronously (the default)"),
  dirsync: handedOn("change folders synchronously"),
  atime: handedOn("update access times (the default)"),
  noatime: handedOn("leave access times alone"),
  allow_other: flag("let other users in (an ordinary user needs user_allow_other in /etc/fuse.conf)", ({ mount }) => {
    mount.allowOther = true;
  }),
  default_permissions: flag("let the kernel check permissions (the default)", ({ mount }) => {
    mount.defaultPermissions = true;
  }),
  transport: {
    value: "auto|device|uring",
    help: "how requests come: from /dev/fuse or over io_uring (auto: which is faster)",
    apply: ({ mount }, value, option) => mount.transport = readWord(value, option, TRANSPORTS),
  },
  process: {
    value: "auto|separate|same",
    help: "which one serves: this, or one that is replaced when it dies (auto: where it can be had)",
    apply: (target, value, option) => target.process = readWord(value, option, PROCESSES),
  },
  no_resend: flag("with a keeper: mount anew for each server, as on kernels before 6.9", (target) => {
    target.resend = false;
  }),
  spare: flag("with a keeper: the next server waits already, for a shorter pause", (target) => {
    target.spare = true;
  }),
  restarts: {
    value: "NUMBER",
    help: `with a keeper: how many servers that died are replaced within a minute (${MOST_RESTARTS})`,
    apply: (target, value, option) => target.restarts = readCount(value, option, RESTARTS),
  },
  hang_timeout: {
    value: "SECONDS",
    help: `with a keeper: after how long a server counts as hung, and is replaced (${HANG_TIMEOUT})`,
    apply: (target, value, option) => target.hangTimeout = readSomeSeconds(value, option, LONGEST_HANG),
  },
  debug: flag("show every request and its answer on standard error", ({ mount }) => mount.debug = true),
  auto_unmount: handedOn("unmount even when this process is killed"),
  fsname: {
    value: "NAME",
    help: "the source shown by mount and df (its path, or memory)",
    apply: ({ mount }, value) => mount.filesystemName = value,
  },
  subtype: {
    value: "NAME",
    help: "the type shown after fuse. (trellis)",
    apply: ({ mount }, value) => mount.subtype = value,
  },
  attr_timeout: seconds("how long the kernel caches attributes", "attributesTimeout"),
  entry_timeout: seconds("how long the kernel caches names", "entryTimeout"),
  negative_timeout: seconds("how long the kernel caches the absence of a name", "negativeTimeout"),
  max_read: {
    value: "BYTES",
    help: "the largest read request",
    apply: ({ mount }, value, option) => mount.maxRead = readCount(value, option, MAX_READ),
  },
};

// Known to libfuse's users, and refused with a reason that says more than "unknown".
const REFUSED: Readonly<Record<string, string>> = {
  allow_root: "use allow_other, which the default_permissions keep safe",
  nonempty: "it is not needed: a mountpoint need not be empty",
};

/** The name of an option: what stands before the `=`. */
export function optionName(option: string): string {
  const equals = option.indexOf("=");
  return equals < 0 ? option : option.slice(0, equals);
}

/**
 * Does to `target` what `option` says.
 *
 * @throws {OptionError} for an option that is not in `rules`, and for a value that the option does not take.
 */
export function applyOption<Target>(rules: Rules<Target>, target: Target, option: string): void {
  const name = optionName(option);
  if (!Object.hasOwn(rules, name)) throw unknownOption(name, Object.keys(rules));
  const rule = rules[name]!;
  const value = option.slice(name.length + 1);
  if (rule.value === undefined && option !== name) {
    throw new OptionError(`The mount option "${name}" takes no value, but was given as "${option}"`);
  }
  if (rule.value !== undefined && value === "") {
    throw new OptionError(`The mount option "${name}" needs a value: ${name}=${rule.value}`);
  }
  rule.apply(target, value, option);
}

/** The same, but returns what is wrong with `option`: a message, or undefined when it was done. */
export function tryOption<Target>(rules: Rules<Target>, target: Target, option: string): string | undefined {
  try {
    applyOption(rules, target, option);
    return undefined;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return error.message;
  }
}

function unknownOption(name: string, known: string[]): OptionError {
  if (Object.hasOwn(REFUSED, name)) {
    return new OptionError(`The mount option "${name}" is not supported: ${REFUSED[name]}`);
  }
  const nearest = nearestName(name, known);
  const hint = nearest === undefined ? "" : `; the nearest known one is "${nearest}"`;
  return new OptionError(`Unknown mount option "${name}"${hint}. All: mount --help`);
}
