/** What `-o` takes: the options of mount.fuse3(8) that Trellis knows, and those of each filesystem that it mounts. */
import {
  applyOption,
  flag,
  GENERAL_OPTIONS,
  type MountTarget,
  optionName,
  type OptionRule,
  type Rules,
} from "../config/mount_options.ts";
import { OptionError, readCount, readId, readMode, readSize, readWord } from "../config/option_values.ts";
import { DESCRIPTORS, LOOPS } from "../config/values.ts";
import type { MemoryModuleOptions } from "../layers/memory/module.ts";
import { CACHE_TIMEOUTS, type CacheMode, type PassthroughOptions } from "../layers/passthrough/options.ts";
import { Failure } from "./failure.ts";

/** What is mounted: `memory`, with a source `passthrough`, or what a `configuration` says. */
export type Kind = "memory" | "passthrough" | "configuration";

/** What a list of options means. Fields are there for options that were given. */
export interface ParsedOptions extends MountTarget {
  /** For the filesystem in memory. */
  memory: MemoryModuleOptions;
  /** For a directory that is shown as it is. */
  passthrough: Omit<PassthroughOptions, "source">;
  /** How many loops are to serve the directory. */
  loops?: number;
}

const inodes: OptionRule<ParsedOptions> = {
  value: "NUMBER",
  help: "how many files and folders there may be, such as 100k; 0 for as many as there can be",
  apply: ({ memory }, value, option) => memory.inodes = readSize(value, option),
};

/** Options of the filesystem in memory. */
const MEMORY: Rules<ParsedOptions> = {
  size: {
    value: "SIZE",
    help: "what the files may hold, such as 512M, 2G or 50% (of memory; the default); 0 for no limit",
    apply: ({ memory }, value, option) => memory.size = readSize(value, option, Deno.systemMemoryInfo().total),
  },
  inodes,
  nr_inodes: { ...inodes, help: "the same, as tmpfs(5) spells it" },
  keep_content: flag(
    "the files outlive the server, which a keeper replaces",
    ({ memory }) => memory.keepContent = true,
  ),
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

/** Options of a mount with a source. */
const PASSTHROUGH: Rules<ParsedOptions> = {
  cache: {
    value: "never|auto|always",
    help: "what to trust of what was seen: nothing, all for a second (the default), or all",
    apply: ({ passthrough }, value, option) => {
      passthrough.cache = readWord(value, option, Object.keys(CACHE_TIMEOUTS) as CacheMode[]);
    },
  },
  writeback: flag("gather writes in the cache and send them later", ({ passthrough }) => passthrough.writeback = true),
  kernel_passthrough: flag("let the kernel read and write the source's files itself, where it can (the default)", (
    { passthrough },
  ) => passthrough.kernelPassthrough = true),
  no_kernel_passthrough: flag("send every read and write to this process", ({ passthrough }) => {
    passthrough.kernelPassthrough = false;
  }),
  cross_mounts: flag("show filesystems mounted below the source (the default)", ({ passthrough }) => {
    passthrough.crossMounts = true;
  }),
  no_cross_mounts: flag("refuse to enter them", ({ passthrough }) => passthrough.crossMounts = false),
  no_remote_lock: flag("no_remote_posix_lock and no_remote_flock", ({ passthrough }) => {
    passthrough.remotePosixLock = false;
    passthrough.remoteFlock = false;
  }),
  no_remote_posix_lock: flag("keep record locks among the mount's users: opens and closes are faster", (
    { passthrough },
  ) => passthrough.remotePosixLock = false),
  no_remote_flock: flag("the same of flock(2), without being faster", ({ passthrough }) => {
    passthrough.remoteFlock = false;
  }),
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
const OWN: Readonly<
  Record<Exclude<Kind, "configuration">, { rules: Rules<ParsedOptions>; title: string; notForOthers: string }>
> = {
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

const FOR_THE_FILE =
  "is not for a configuration, whose file says such things itself: docs/configuration.md has its keys";

/**
 * Reads the lists given with `-o`, one after the other: what comes later wins. Options are separated by commas; a
 * backslash takes the next character as it is (`fsname=a\,b`). Those that are not wanted are left out.
 *
 * @throws {Failure} for an unknown option, with the nearest known one; for one that this kind of mount does not have;
 * and for a value that the option does not take.
 */
export function parseMountOptions(
  lists: readonly string[],
  kind: Kind,
  isWanted: (option: string) => boolean = () => true,
): ParsedOptions {
  const parsed: ParsedOptions = { mount: { options: [] }, memory: {}, passthrough: {} };
  try {
    for (const option of lists.flatMap(splitOptions).filter(isWanted)) applyToKind(parsed, option, kind);
  } catch (error) {
    throw error instanceof OptionError ? new Failure("USAGE", error.message, { cause: error }) : error;
  }
  return parsed;
}

/** The options of a list. */
export function splitOptions(list: string): string[] {
  const options = list.match(/(?:\\.|[^,])+/gs) ?? [];
  return options.map((option) => option.replace(/\\(.)/gs, "$1"));
}

function applyToKind(parsed: ParsedOptions, option: string, kind: Kind): void {
  const name = optionName(option);
  for (const [owner, { rules, notForOthers }] of Object.entries(OWN)) {
    if (owner === kind || !Object.hasOwn(rules, name)) continue;
    throw new OptionError(`The mount option "${name}" ${kind === "configuration" ? FOR_THE_FILE : notForOthers}`);
  }
  applyOption(rulesOf(kind), parsed, option);
}

function rulesOf(kind: Kind): Rules<ParsedOptions> {
  return kind === "configuration" ? GENERAL_OPTIONS : { ...GENERAL_OPTIONS, ...OWN[kind].rules };
}

/** Whether a mount of this kind has the option, by its name. */
export function isMountOption(option: string, kind: Kind): boolean {
  return Object.hasOwn(rulesOf(kind), optionName(option));
}

/** The part of `mount --help` that lists the options. */
export function describeMountOptions(): string {
  const sections: [title: string, rules: Rules<ParsedOptions>][] = [
    ["Mount options (-o, separated by commas):", GENERAL_OPTIONS],
    ...Object.values(OWN).map(({ title, rules }): [string, Rules<ParsedOptions>] => [title, rules]),
  ];
  const width = Math.max(...sections.flatMap(([, rules]) => spell(rules)).map((name) => name.length));
  return sections.map(([title, rules]) => {
    const names = spell(rules).map((name) => name.padEnd(width));
    const lines = Object.values(rules).map(({ help }, index) => `  ${names[index]}  ${help}`);
    return [title, ...lines].join("\n");
  }).join("\n\n");
}

function spell(rules: Rules<ParsedOptions>): string[] {
  return Object.entries(rules).map(([name, { value }]) => value === undefined ? name : `${name}=${value}`);
}
