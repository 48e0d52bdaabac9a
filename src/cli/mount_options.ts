/** What `-o` takes: the options of mount.fuse3(8) that Trellis knows, and those of each filesystem that it mounts. */
import { closestString } from "../deps.ts";
import type { MemoryOptions } from "../layers/memory/mod.ts";
import { CACHE_TIMEOUTS, type CacheMode, type PassthroughOptions } from "../layers/passthrough/options.ts";
import type { MountOptions } from "../mount.ts";
import { Failure } from "./failure.ts";
import { readCount, readId, readMode, readSeconds, readSize, readWord } from "./option_values.ts";

/** What is mounted: `memory`, or with a source `passthrough`. */
export type Kind = "memory" | "passthrough";

/** What a list of options means. Fields are there for options that were given. */
export interface ParsedOptions {
  /** For `mount`. */
  mount: MountSettings;
  /** For the filesystem in memory. */
  memory: MemoryOptions;
  /** For a directory that is shown as it is. */
  passthrough: Omit<PassthroughOptions, "source">;
  /** How many loops are to serve the directory. */
  loops?: number;
}

/** The options of `mount`, one set after the other. */
export type MountSettings = { -readonly [Name in keyof MountOptions]: MountOptions[Name] } & { options: string[] };

type Rules = Readonly<Record<string, OptionRule>>;

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

/** Options of every mount, in the order of the help. */
const GENERAL: Rules = {
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
    apply: ({ mount }, value, option) => mount.maxRead = readSize(value, option),
  },
};

const inodes: OptionRule = {
  value: "NUMBER",
  help: "how many files and folders there may be, such as 100k; 0 for as many as there can be",
  apply: ({ memory }, value, option) => memory.inodes = readSize(value, option),
};

/** Options of the filesystem in memory. */
const MEMORY: Rules = {
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

/** The bounds of the layer's own check, which these options' messages say better. */
const DESCRIPTORS: readonly [number, number] = [16, 2 ** 24];
const LOOPS: readonly [number, number] = [1, 16];

/** Options of a mount with a source. */
const PASSTHROUGH: Rules = {
  cache: {
    value: "never|auto|always",
    help: "what to trust of what was seen: nothing, all for a second (the default), or all",
    apply: ({ passthrough }, value, option) => {
      passthrough.cache = readWord(value, option, Object.keys(CACHE_TIMEOUTS) as CacheMode[]);
    },
  },
  writeback: flag("gather writes in the cache and send them later", ({ passthrough }) => passthrough.writeback = true),
  cross_mounts: flag("show filesystems mounted below the source (the default)", ({ passthrough }) => {
    passthrough.crossMounts = true;
  }),
  no_cross_mounts: flag("refuse to enter them", ({ passthrough }) => passthrough.crossMounts = false),
  loops: {
    value: "NUMBER",
    help: "how many threads serve the mount (the number of cores, at most four)",
    apply: (parsed, value, option) => parsed.loops = readCount(value, option, LOOPS),
  },
  max_descriptors: {
    value: "NUMBER",
    help: "how many descriptors to keep for files that nobody has open (half of the limit)",
    apply: ({ passthrough }, value, option) => passthrough.maxDescriptors = readCount(value, option, DESCRIPTORS),
  },
};

/** What each kind of mount has beside the options of every mount, and what to say when the other asks for it. */
const OWN: Readonly<Record<Kind, { rules: Rules; title: string; notForOthers: string }>> = {
  memory: {
    rules: MEMORY,
    title: "Of a filesystem in memory:",
    notForOthers: "is for a filesystem in memory: leave it out, or leave out the source",
  },
  passthrough: {
    rules: PASSTHROUGH,
    title: "Of a mount with a source:",
    notForOthers: "is for a mount with a source: mount SOURCE MOUNTPOINT",
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
 * @throws {Failure} for an unknown option, with the nearest known one; for one that this kind of mount does not have;
 * and for a value that the option does not take.
 */
export function parseMountOptions(lists: readonly string[], kind: Kind): ParsedOptions {
  const parsed: ParsedOptions = { mount: { options: [] }, memory: {}, passthrough: {} };
  for (const option of lists.flatMap(splitOptions)) applyOption(parsed, option, kind);
  return parsed;
}

function splitOptions(list: string): string[] {
  const options = list.match(/(?:\\.|[^,])+/gs) ?? [];
  return options.map((option) => option.replace(/\\(.)/gs, "$1"));
}

function applyOption(parsed: ParsedOptions, option: string, kind: Kind): void {
  const equals = option.indexOf("=");
  const name = equals < 0 ? option : option.slice(0, equals);
  const rule = findRule({ ...GENERAL, ...OWN[kind].rules }, name);
  if (rule === undefined) throw refusal(name, kind);
  const value = equals < 0 ? "" : option.slice(equals + 1);
  if (rule.value === undefined && equals >= 0) {
    throw new Failure("USAGE", `The mount option "${name}" takes no value, but was given as "${option}"`);
  }
  if (rule.value !== undefined && value === "") {
    throw new Failure("USAGE", `The mount option "${name}" needs a value: ${name}=${rule.value}`);
  }
  rule.apply(parsed, value, option);
}

function findRule(rules: Rules, name: string): OptionRule | undefined {
  return Object.hasOwn(rules, name) ? rules[name] : undefined;
}

function refusal(name: string, kind: Kind): Failure {
  if (Object.hasOwn(REFUSED, name)) {
    return new Failure("USAGE", `The mount option "${name}" is not supported: ${REFUSED[name]}`);
  }
  const { rules, notForOthers } = OWN[kind === "memory" ? "passthrough" : "memory"];
  if (findRule(rules, name)) return new Failure("USAGE", `The mount option "${name}" ${notForOthers}`);
  const nearest = closestString(name, Object.keys({ ...GENERAL, ...OWN[kind].rules }));
  return new Failure(
    "USAGE",
    `Unknown mount option "${name}"; the nearest known one is "${nearest}". All: mount --help`,
  );
}

/** The part of `mount --help` that lists the options. */
export function describeMountOptions(): string {
  const sections: [title: string, rules: Rules][] = [
    ["Mount options (-o, separated by commas):", GENERAL],
    ...Object.values(OWN).map(({ title, rules }): [string, Rules] => [title, rules]),
  ];
  const width = Math.max(...sections.flatMap(([, rules]) => spell(rules)).map((name) => name.length));
  return sections.map(([title, rules]) => {
    const names = spell(rules).map((name) => name.padEnd(width));
    const lines = Object.values(rules).map(({ help }, index) => `  ${names[index]}  ${help}`);
    return ["", title, ...lines].join("\n");
  }).join("\n");
}

function spell(rules: Rules): string[] {
  return Object.entries(rules).map(([name, { value }]) => value === undefined ? name : `${name}=${value}`);
}
