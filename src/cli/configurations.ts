/** What reads configurations, and plans their trees: half of the tool's modules, so loaded only where there is one. */
import type { Config } from "../config/mod.ts";
import { Failure } from "./failure.ts";

/** Deno does not see which module this is: of an `import()` that names its module it reads all files at the start. */
export function loadConfigurations(): Promise<typeof import("../config/mod.ts")> {
  return import(import.meta.resolve("../config/mod.ts"));
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
