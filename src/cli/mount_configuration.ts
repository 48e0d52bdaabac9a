/** What is mounted, and where, when a configuration says so. */
import type { Config, LiveMount, TreePlan } from "../config/mod.ts";
import { CONFIG_NAME } from "../config/template.ts";
import { resolve } from "../deps.ts";
import type { MountTargets } from "../layers/branch/mod.ts";
import { loadConfiguration, loadConfigurations } from "./configurations.ts";
import { Failure } from "./failure.ts";
import type { ParsedOptions } from "./mount_options.ts";
import type { MountPlan } from "./mount_plan.ts";
import { refuseEmptyPath } from "./mountpoint.ts";
import { type DecidedPlan, type MountAt, serverOf, withOptions } from "./serving_process.ts";

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
): Promise<MountAt<DecidedPlan>> {
  if (file === undefined) await expectConfiguration();
  refuseEmptyPath(mountpoint, "mount on");
  const point = mountpoint === undefined ? [] : [`mount.point=${asSetting(resolve(Deno.cwd(), mountpoint))}`];
  const flags = [...set, ...point];
  const config = await loadConfiguration(file ?? CONFIG_NAME, flags);
  if (config.mount.point === undefined) {
    throw new Failure("USAGE", `Cannot mount ${config.file}: it has no mount.point; name a mountpoint`);
  }
  const tree = await planTreeOf(config);
  const { loops, handlersLater } = tree.placement;
  const planned = { ...tree, ...serverOf(config.mount) };
  const { plan, mountpoint: path } = await withOptions({ plan: planned, mountpoint: config.mount.point }, options);
  const live = { loops, handlersLater, separate: plan.keeper.separate };
  return { plan: await withReload(plan, config, flags, live), mountpoint: path };
}

/** The plan, whose tree becomes what its configuration says when somebody asks. `live`: what is to be known of the mount. */
export async function withReload<Plan extends MountPlan>(
  plan: Plan,
  config: Config,
  flags: readonly string[],
  live: LiveMount,
): Promise<Plan> {
  const { LiveConfig } = await loadConfigurations();
  const tree = new LiveConfig({ config, flags, live });
  return { ...plan, reload: (mount, request) => tree.reload(mount, request) };
}

/** The plan of a loaded configuration's mount. */
export async function planTreeOf(config: Config, targets?: MountTargets): Promise<MountPlan & TreePlan> {
  const { planTree } = await loadConfigurations();
  const { placement, settings } = planTree(config, navigator.hardwareConcurrency, targets);
  const { file, branches, mount } = config;
  return {
    ...{ name: mount.options.filesystemName ?? file, placement, settings },
    ...{ parts: branches, configuration: { file, growing: mount.growing } },
  };
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
