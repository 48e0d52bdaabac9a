/** What `-o` takes: the options of mount.fuse3(8) that Trellis knows, and those of the filesystem in memory. */
import { closestString } from "../deps.ts";
import type { MemoryOptions } from "../layers/memory/mod.ts";
import type { MountOptions } from "../mount.ts";
import { Failure } from "./failure.ts";

/** What a list of options means. Fields are there for options that were given. */
export interface ParsedOptions {
  /** For `mount`. */
  mount: MountSettings;
  /** For the filesystem in memory. */
  memory: MemoryOptions;
}

/** The options of `mount`, one set after the other. */
export type MountSettings = { -readonly [Name in keyof MountOptions]: MountOptions[Name] } & { options: string[] };

interface OptionRule {
  /** What kind of value the option takes, for the help; undefined when it takes none. */
  readonly value?: string;
  readonly help: string;
  /** `value` is what stands after the `=`, empty when there is none. */
  apply(parsed: ParsedOptions, value: string, option: string): void;
}

function flag(help: string, apply: (parsed: ParsedOptions) => void): OptionRule {
  return { help, apply };
}

// Those that the kernel or fusermount3 understand go on as they are.
function handedOn(help: string): OptionRule {
  return { help, apply: ({ mount }, _value, option) => mount.options.push(option) };
}

function seconds(help: string, field: "attributesTimeout" | "entryTimeout" | "negativeTimeout"): OptionRule {
  return { value: "SECONDS", help, apply: ({ mount }, value, option) => mount[field] = readSeconds(value, option) };
}

const inodes: OptionRule = {
  value: "NUMBER",
  help: "how many files and folders there may be, such as 100k; 0 for as many as there can be",
  apply: ({ memory }, value, option) => memory.inodes = readSize(value, option),
};

/** Every option, in the order of the help. */
const RULES: Readonly<Record<string, OptionRule>> = {
  ro: flag("read-only", ({ mount }) => mount.readOnly = true),
  rw: flag("writable (the default)", ({ mount }) => mount.readOnly = false),
  suid: handedOn("let set-user-id and set-group-id bits take effect (root only)"),
  nosuid: handedOn("ignore them (the default)"),
  dev: handedOn("let device nodes work (root only)"),
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
  debug: flag("show every request and its answer on standard error", ({ mount }) => mount.debug = true),
  auto_unmount: handedOn("unmount even when this process is killed"),
  fsname: {
    value: "NAME",
    help: "the source shown by mount and df (memory)",
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
    apply: ({ mount }, value, option) => mount.maxRead = readSize(value, option),
  },
  size: {
    value: "SIZE",
    help: "what the files may hold, such as 512M, 2G or 50% (of memory; the default); 0 for no limit",
    apply: ({ memory }, value, option) => memory.size = readSize(value, option, Deno.systemMemoryInfo().total),
  },
  inodes,
  nr_inodes: { ...inodes, help: "the same, as tmpfs(5) spells it" },
  mode: {
    value: "OCTAL",
    help: "permissions of the root folder (755)",
    apply: ({ memory }, value, option) => memory.mode = readMode(value, option),
  },
  uid: {
    value: "NUMBER",
    help: "owner of the root folder (who mounts)",
    apply: ({ memory }, value, option) => memory.uid = readId(value, option),
  },
  gid: {
    value: "NUMBER",
    help: "group of the root folder (who mounts)",
    apply: ({ memory }, value, option) => memory.gid = readId(value, option),
  },
};

// Known to libfuse's users, and refused with a reason that says more than "unknown".
const REFUSED: Readonly<Record<string, string>> = {
  allow_root: "use allow_other, which the default_permissions keep safe",
  nonempty: "it is not needed: a mountpoint need not be empty",
};

/**
 * Reads the lists given with `-o`, one after the other: what comes later wins. Options are separated by commas; a
 * backslash takes the next character as it is (`fsname=a\,b`).
 *
 * @throws {Failure} for an unknown option, with the nearest known one, and for a value that the option does not take.
 */
export function parseMountOptions(lists: readonly string[]): ParsedOptions {
  const parsed: ParsedOptions = { mount: { options: [] }, memory: {} };
  for (const option of lists.flatMap(splitOptions)) applyOption(parsed, option);
  return parsed;
}

function splitOptions(list: string): string[] {
  const options = list.match(/(?:\\.|[^,])+/gs) ?? [];
  return options.map((option) => option.replace(/\\(.)/gs, "$1"));
}

function applyOption(parsed: ParsedOptions, option: string): void {
  const equals = option.indexOf("=");
  const name = equals < 0 ? option : option.slice(0, equals);
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
  if (rule === undefined) throw refusal(name);
  const value = equals < 0 ? "" : option.slice(equals + 1);
  if (rule.value === undefined && equals >= 0) {
    throw new Failure("USAGE", `The mount option "${name}" takes no value, but was given as "${option}"`);
  }
  if (rule.value !== undefined && value === "") {
    throw new Failure("USAGE", `The mount option "${name}" needs a value: ${name}=${rule.value}`);
  }
  rule.apply(parsed, value, option);
}

function refusal(name: string): Failure {
  if (Object.hasOwn(REFUSED, name)) {
    return new Failure("USAGE", `The mount option "${name}" is not supported: ${REFUSED[name]}`);
  }
  const nearest = closestString(name, Object.keys(RULES));
  return new Failure(
    "USAGE",
    `Unknown mount option "${name}"; the nearest known one is "${nearest}". All: mount --help`,
  );
}

function badValue(option: string, expected: string): Failure {
  return new Failure("USAGE", `Cannot read the mount option "${option}": ${expected}`);
}

function readSeconds(value: string, option: string): number {
  if (!/^(?:\d+\.?\d*|\.\d+)$/.test(value)) throw badValue(option, "expected seconds, such as 1 or 0.5");
  return Number(value);
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** A number with K, M, G or T, and with % when there is a `whole` for it to be a part of. */
function readSize(value: string, option: string, whole?: number): number {
  const found = /^(\d+)([kmgt%]?)$/i.exec(value);
  const unit = found?.[2]?.toLowerCase();
  const factor = unit === "%" ? whole && whole / 100 : UNITS[unit ?? "none"];
  const size = Math.floor(Number(found?.[1]) * (factor ?? NaN));
  if (!Number.isSafeInteger(size)) {
    throw badValue(option, `expected a number, such as 512, 64K, 100M, 2G${whole === undefined ? "" : " or 50%"}`);
  }
  return size;
}

function readMode(value: string, option: string): number {
  if (!/^[0-7]{1,5}$/.test(value) || parseInt(value, 8) > 0o7777) {
    throw badValue(option, "expected permissions in octal, such as 755 or 1777");
  }
  return parseInt(value, 8);
}

/** The largest user or group id: 2^32 - 1 means "no id" to the kernel. */
const MAX_ID = 2 ** 32 - 2;

function readId(value: string, option: string): number {
  if (!/^\d+$/.test(value) || Number(value) > MAX_ID) throw badValue(option, "expected the number of a user or group");
  return Number(value);
}

/** The part of `mount --help` that lists the options. */
export function describeMountOptions(): string {
  const names = Object.entries(RULES).map(([name, { value }]) => value === undefined ? name : `${name}=${value}`);
  const width = Math.max(...names.map((name) => name.length));
  const lines = Object.values(RULES).map(({ help }, index) => `  ${names[index]!.padEnd(width)}  ${help}`);
  return ["", "Mount options (-o, separated by commas):", ...lines].join("\n");
}
