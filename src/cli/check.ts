/** `check`: what is wrong with a configuration, or the tree as it will be. */
import { CONFIG_NAME } from "../config/template.ts";
import type { Command } from "../command_line/command.ts";
import { loadConfiguration, loadConfigurations } from "./configurations.ts";
import { SET_OPTION } from "./shared_options.ts";

/** The command. */
export const COMMAND: Command = {
  name: "check",
  summary: "show what is wrong with a configuration, or its tree",
  description:
    "Read the configuration FILE and look for what it needs. Prints the tree as it will be; or every problem, each " +
    "with its file, line and column, and ends with exit code 9.",
  arguments: [["[file]", `the configuration (default: "${CONFIG_NAME}")`]],
  options: [SET_OPTION],
  run: ({ words: [file = CONFIG_NAME], values }) => check(file, values("set")),
};

async function check(file: string, flags: readonly string[]): Promise<void> {
  const config = await loadConfiguration(file, flags);
  const { describeTree } = await loadConfigurations();
  const { point } = config.mount;
  console.log(point === undefined ? "No mountpoint (mount.point)" : `At ${point}:`);
  console.log(describeTree(config));
}
