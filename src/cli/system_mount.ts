/**
 * `system-mount`: what mount(8) runs, as /sbin/mount.fuse.trellis, for the type fuse.trellis, also for lines of fstab. Its
 * arguments are those of "EXTERNAL HELPERS" in mount(8).
 */
import { optionName } from "../config/mount_options.ts";
import { resolve } from "../deps.ts";
import type { Command, Given } from "../command_line/command.ts";
import { Background, isInBackground, startInBackground } from "./background.ts";
import { EXIT_CODES } from "./exit_codes.ts";
import { Failure } from "./failure.ts";
import { serve } from "./mount.ts";
import { planConfiguration } from "./mount_configuration.ts";
import { isMountOption, type Kind, type ParsedOptions, parseMountOptions, splitOptions } from "./mount_options.ts";
import { planMemory, planPassthrough } from "./mount_plan.ts";
import { type DecidedPlan, type MountAt, withOptions } from "./serving_process.ts";
import { prepareSource } from "./source.ts";

/** The exit codes of mount(8). */
const SUCCESS = 0;
const USAGE = 1;
const MOUNT_FAILURE = 32;

/** Sources that are nothing outside of the mount. */
const NOTHING = ["none", "memory"];

/**
 * What is for mount(8), systemd and whoever else reads fstab. mount(8) says rw when nobody says ro. Access times are
 * among it: to FUSE the kernel leaves them (S_NOATIME in fuse_fill_super_common of fs/fuse/inode.c).
 */
const FOR_OTHERS = new Set(
  ("rw _netdev _rnetdev nofail noauto auto defaults user nouser users nousers owner noowner group nogroup comment uhelper " +
    "helper silent loud mand nomand iversion noiversion relatime norelatime strictatime nostrictatime lazytime " +
    "nolazytime diratime nodiratime")
    .split(" "),
);

/** The command. Its exit code is one of mount(8)'s. */
export const COMMAND: Command = {
  name: "system-mount",
  summary: "what mount(8) runs for the type fuse.trellis",
  description:
    "Mount SOURCE at MOUNTPOINT in the background, as mount(8) asks its helpers: none or memory, a directory, or a " +
    "configuration (FILE.toml). Options are those of mount -o; what only fstab and mount(8) know is left out.",
  arguments: [
    ["<source>", "none, memory, a directory, or a configuration"],
    ["<mountpoint>", "the folder to mount on"],
  ],
  options: [
    { name: "s", letter: "s", description: "leave out options that are not known" },
    { name: "f", letter: "f", description: "do all but mount" },
    { name: "n", letter: "n", description: "for mount(8): there is no /etc/mtab to write", hidden: true },
    { name: "v", letter: "v", description: "say what is mounted" },
    { name: "N", letter: "N", value: "<namespace>", description: "another mount namespace, which is refused" },
    { name: "o", letter: "o", value: "<list>", description: "mount options" },
    { name: "t", letter: "t", value: "<type>", description: "for mount(8): the type, with its subtype", hidden: true },
  ],
  after: "Ends as mount(8) does: with 0, with 1 for a wrong use, with 32 when the mount failed.",
  hidden: true,
  run: async (given) => {
    if (!isInBackground()) return toMountCode(await startInBackground(!given.has("v")));
    const background = new Background(undefined);
    const plan = await planSystemMount(given);
    if (!given.has("f")) await serve(plan, given.has("debug"), background);
  },
};

function toMountCode(code: number): number {
  if (code === EXIT_CODES.OK) return SUCCESS;
  return code === EXIT_CODES.USAGE || code === EXIT_CODES.CONFIG ? USAGE : MOUNT_FAILURE;
}

async function planSystemMount({ words, has, value, values }: Given) {
  const [source, mountpoint] = words as [string, string];
  const lists = values("o");
  if (value("N") !== undefined) {
    throw new Failure("USAGE", `Cannot mount on ${mountpoint} in another namespace: run mount in it (nsenter -m)`);
  }
  if (lists.flatMap(splitOptions).includes("remount")) {
    throw new Failure(
      "USAGE",
      `Cannot remount ${mountpoint} here: mount -i -o remount,ro (or rw), or unmount it first`,
    );
  }
  const kind = await kindOf(source);
  const isWanted = (option: string) => !isForOthers(option) && (!has("s") || isMountOption(option, kind));
  const parsed = parseMountOptions([...defaultsFor(kind, source), ...lists], kind, isWanted);
  return await planOf(kind, source, mountpoint, parsed);
}

/**
 * The mount table names what fstab names, by which `mount -a` finds what is mounted already. suid and dev are what
 * mount(8) means when it says nothing: it hands on only nosuid and nodev, and FUSE takes those for the defaults. A
 * configuration has options of its own.
 */
function defaultsFor(kind: Kind, source: string): string[] {
  const flags = Deno.uid() === 0 && kind !== "configuration" ? ["suid", "dev"] : [];
  return [`fsname=${source.replace(/[\\,]/g, "\\$&")}`, ...flags];
}

function isForOthers(option: string): boolean {
  const name = optionName(option);
  return FOR_OTHERS.has(name) || /^x-/i.test(name);
}

async function kindOf(source: string): Promise<Kind> {
  if (NOTHING.includes(source)) return "memory";
  const isFile = source.endsWith(".toml") && (await Deno.stat(source).catch(() => undefined))?.isDirectory !== true;
  return isFile ? "configuration" : "passthrough";
}

/** What fstab says wins over what a configuration says. */
async function planOf(
  kind: Kind,
  source: string,
  mountpoint: string,
  options: ParsedOptions,
): Promise<MountAt<DecidedPlan>> {
  if (kind === "configuration") {
    return await planConfiguration(resolve(Deno.cwd(), source), { mountpoint, set: [], options });
  }
  const plan = kind === "memory"
    ? planMemory(options)
    : planPassthrough(await prepareSource(source, mountpoint), options);
  return await withOptions({ plan, mountpoint }, options);
}
