/** What is mounted, and where, when a configuration says so. */
import { resolve } from "node:path";
import type { Config, LiveMount, TreePlan } from "../config/mod.ts";
import type { ServerSettings } from "../config/mount_options.ts";
import { CONFIG_NAME } from "../config/template.ts";
import type { MountTargets } from "../layers/branch/mod.ts";
import { deviceDescriptor } from "../connection/mountpoint.ts";
import { loadConfiguration } from "./config_options.ts";
import { Failure } from "./failure.ts";
import type { ParsedOptions } from "./mount_options.ts";
import { locateMountpoint } from "./mount_status.ts";
import type { MountPlan } from "./mount_plan.ts";
import { refuseEmptyPath } from "./mountpoint.ts";

/** A plan and its mountpoint. */
export interface MountAt {
  readonly plan: MountPlan;
  readonly mountpoint: string;
}

/** What is said of the process that serves, and what nobody said. */
type PlannedServer = ServerSettings & Required<Pick<ServerSettings, "separate" | "resend" | "spare">>;

/** What is said beside a configuration, and wins over it. */
export interface ConfigurationOverrides {
  readonly mountpoint: string | undefined;
  /** KEY=VALUE, as `--set` takes them. */
  readonly set: readonly string[];
  /** What `-o` says. */
  readonly options: ParsedOptions;
}

/**
 * The mount of a configuration, by default that of the current folder.
 *
 * @throws {Failure} for problems of the configuration, and when there is none, or no mountpoint.
 */
export async function planConfiguration(
  file: string | undefined,
  { mountpoint, set, options }: ConfigurationOverrides,
): Promise<MountAt> {
  if (file === undefined) await expectConfiguration();
  refuseEmptyPath(mountpoint, "mount on");
  const point = mountpoint === undefined ? [] : [`mount.point=${asSetting(resolve(mountpoint))}`];
  const flags = [...set, ...point];
  const config = await loadConfiguration(file ?? CONFIG_NAME, flags);
  if (config.mount.point === undefined) {
    throw new Failure("USAGE", `Cannot mount ${config.file}: it has no mount.point; name a mountpoint`);
  }
  const plan = await planTreeOf(config);
  const server = serverOf(config.mount, options);
  if (server.separate) await refuseUnkept(config, config.mount.point);
  else await refuseUnkeepable(config);
  const reloadable = await withReload(plan, config, flags, server);
  return withOptions({ plan: { ...reloadable, ...server }, mountpoint: config.mount.point }, options);
}

/** The plan, whose tree becomes what its configuration says when somebody asks. `live`: what is to be known of the mount. */
export async function withReload(
  plan: MountPlan & TreePlan,
  config: Config,
  flags: readonly string[],
  live: Pick<LiveMount, "separate" | "sandbox">,
): Promise<MountPlan> {
  const { LiveConfig } = await import("../config/mod.ts");
  const { loops, handlersLater } = plan.placement;
  const tree = new LiveConfig({ config, flags, live: { loops, handlersLater, ...live } });
  return { ...plan, reload: (mount, request) => tree.reload(mount, request) };
}

/** A plan with what `-o` says, which wins. */
export function withOptions({ plan, mountpoint }: MountAt, parsed: ParsedOptions): MountAt {
  const { mount } = parsed;
  const server = serverOf(plan, parsed);
  refuseSenseless(server);
  if (server.separate && deviceDescriptor(mountpoint) !== undefined) {
    throw new Failure(
      "USAGE",
      `Cannot mount ${mountpoint} with process=separate: who mounted it would have to keep it`,
    );
  }
  const options = [...plan.settings.options ?? [], ...mount.options];
  const settings = { ...plan.settings, ...mount, options };
  return { plan: { ...plan, settings, ...server }, mountpoint };
}

/** Which process serves, when `given` wins over `planned`. */
function serverOf(planned: ServerSettings, given: ServerSettings): PlannedServer {
  const { separate = false, resend = true, spare = false } = planned;
  const restarts = given.restarts ?? planned.restarts;
  const hangTimeout = given.hangTimeout ?? planned.hangTimeout;
  return {
    ...{ separate: given.separate ?? separate, resend: given.resend ?? resend, spare: given.spare ?? spare },
    ...restarts !== undefined && { restarts },
    ...hangTimeout !== undefined && { hangTimeout },
  };
}

/** @throws {Failure} for options that could do nothing. */
function refuseSenseless({ separate, resend, spare, restarts, hangTimeout }: PlannedServer): void {
  const given = {
    ...{ no_resend: !resend, spare, restarts: restarts !== undefined, hang_timeout: hangTimeout !== undefined },
  };
  for (const [option, isGiven] of Object.entries(given)) {
    if (!isGiven || separate) continue;
    throw new Failure("USAGE", `The mount option "${option}" is for process=separate: add that`);
  }
  if (!resend && spare) {
    const reason = "no server can wait for a mount that is made anew for it: leave out one of the two";
    throw new Failure("USAGE", `The mount options "spare" and "no_resend" exclude each other: ${reason}`);
  }
}

/** @throws {Failure} when a branch cannot outlive its server, or who keeps the mount would read it. */
async function refuseUnkept({ file, branches }: Config, mountpoint: string): Promise<void> {
  // A keeper that has a file of its own mount open cannot start a server (`src/keeper/keeper.ts`).
  if ((await Deno.realPath(file)).startsWith(`${await locateMountpoint(mountpoint)}/`)) {
    const text =
      `Cannot mount with process=separate: ${file} lies below ${mountpoint}, which would hide it from reload`;
    throw new Failure("USAGE", text);
  }
  const { whyNotKept } = await import("../config/mod.ts");
  for (const branch of branches) {
    const unkept = whyNotKept(branch);
    if (unkept === undefined) continue;
    const text = `Cannot mount with process=separate: branch "${branch.path}" cannot be kept: ${unkept.reason}`;
    throw new Failure("USAGE", text);
  }
}

/** @throws {Failure} when a branch wants to outlive its server, and nothing does. */
async function refuseUnkeepable({ branches }: Config): Promise<void> {
  const { whyKeeperWanted } = await import("../config/mod.ts");
  for (const branch of branches) {
    const wanted = whyKeeperWanted(branch);
    if (wanted === undefined) continue;
    throw new Failure("USAGE", `Cannot mount branch "${branch.path}" in one process: ${wanted}; add process=separate`);
  }
}

/** The plan of a loaded configuration's mount. */
export async function planTreeOf(config: Config, targets?: MountTargets): Promise<MountPlan & TreePlan> {
  const { planTree } = await import("../config/mod.ts");
  const { placement, settings } = planTree(config, navigator.hardwareConcurrency, targets);
  return { name: config.mount.options.filesystemName ?? config.file, placement, settings };
}

async function expectConfiguration(): Promise<void> {
  try {
    await Deno.lstat(CONFIG_NAME);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Failure(
      "USAGE",
      `Cannot mount: no mountpoint is named, and there is no ${CONFIG_NAME} in the current folder (\`init\` writes one); ` +
        "mount --help has all ways",
    );
  }
}

/** A path as the value of a setting that means just that path. */
export function asSetting(path: string): string {
  return path.replaceAll("$", "$$$$");
}
