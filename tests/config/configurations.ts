/** Reads configurations that tests write, without a host: a folder and an environment that are always the same. */
import type { PartialConfig } from "../../src/config/config.ts";
import { readConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problems.ts";

/** The environment of the tests. */
const ENVIRONMENT = { HOME: "/home/me", PROJECT: "/projects/one", EMPTY: "" };

/** What has a say beside the text. */
export interface Outside {
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

function surroundings({ flags = [], environment = {} }: Outside) {
  const variables = { ...ENVIRONMENT, ...environment };
  return { folder: "/here", currentFolder: "/elsewhere", environment: variables, flags };
}

/** The problems of `text` as a file called `t.toml`, as lines, in the order of the file. */
export function problemsOf(text: string, outside: Outside = {}): string[] {
  try {
    const { problems } = readConfig("t.toml", text, surroundings(outside));
    return new ConfigError("t.toml", problems).message.split("\n").slice(1);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n").slice(1);
  }
}

/** The configuration that `text` is. Fails when it has problems. */
export function configOf(text: string, outside: Outside = {}): PartialConfig {
  const { config, problems } = readConfig("t.toml", text, surroundings(outside));
  if (problems.length > 0) throw new ConfigError("t.toml", problems);
  return config;
}

/** The example of the documentation. */
export async function readExample(): Promise<string> {
  const page = await Deno.readTextFile(new URL("../../docs/configuration.md", import.meta.url));
  return /```toml\n(.*?)```/s.exec(page)![1]!;
}
