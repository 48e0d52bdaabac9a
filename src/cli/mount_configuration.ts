/** What is mounted, and where, when a configuration says so. */
import { resolve } from "node:path";
import type { Config, TreePlan } from "../config/mod.ts";
import { CONFIG_NAME } from "../config/template.ts";
import type { MountTargets } from "../layers/branch/mod.ts";
import { loadConfiguration } from "./config_options.ts";
import { Failure } from "./failure.ts";
import type { MountPlan } from "./mount_plan.ts";
import { refuseEmptyPath } from "./mountpoint.ts";

/** A plan and its mountpoint. */
export interface MountAt {
  readonly plan: MountPlan;
  readonly mountpoint: string;
}

/**
 * The mount of a configuration, by default that of the current folder. `mountpoint` wins over the configuration's.
 *
 * @throws {Failure} for problems of the configuration, and when there is none, or no mountpoint.
 */
export async function planConfiguration(
  file: string | undefined,
  mountpoint: string | undefined,
  set: readonly string[],
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
  const { LiveConfig } = await import("../config/mod.ts");
  const live = new LiveConfig({ config, flags, loops: plan.placement.loops });
  const reload: MountPlan["reload"] = (session, request) => live.reload(session, request);
  return { plan: { ...plan, reload }, mountpoint: config.mount.point };
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
function asSetting(path: string): string {
  return path.replaceAll("$", "$$$$");
}
