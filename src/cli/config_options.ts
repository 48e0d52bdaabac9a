/** What all commands with a configuration have: its options, and how it is loaded. */
import type { Config } from "../config/mod.ts";
import { CONFIG_NAME } from "../config/template.ts";
import type { Command } from "../deps.ts";
import { loadConfigurations } from "./configurations.ts";
import { Failure } from "./failure.ts";

/** Adds `--set`. */
export function addSetOption(command: Command): Command {
  return command.option(
    "-s, --set <key=value>",
    "set a key of [mount] or [run], such as mount.point=/mnt, over the file and the environment",
    (assignment, assignments: string[]) => [...assignments, assignment],
    [],
  );
}

/** Adds `--config` and `--set`. */
export function addConfigOptions(command: Command): Command {
  return addSetOption(command.option("-c, --config <file>", "the configuration", CONFIG_NAME));
}

/** Loads a configuration. @throws {Failure} with all its problems. */
export async function loadConfiguration(file: string, flags: readonly string[]): Promise<Config> {
  const { loadConfig } = await loadConfigurations();
  return await explained(loadConfig(file, { flags }));
}

/** Where a configuration says that it is mounted; its sources, which may hang, are left alone. @throws {Failure} */
export async function findMountpoint(file: string): Promise<string | undefined> {
  const { loadMountpoint } = await loadConfigurations();
  return await explained(loadMountpoint(file));
}

async function explained<Loaded>(loading: Promise<Loaded>): Promise<Loaded> {
  const { ConfigError } = await loadConfigurations();
  try {
    return await loading;
  } catch (error) {
    throw error instanceof ConfigError ? new Failure("CONFIG", error.message, { cause: error }) : error;
  }
}
