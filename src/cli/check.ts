/** `check`: what is wrong with a configuration, or the tree as it will be. */
import { CONFIG_NAME } from "../config/template.ts";
import { Command } from "../deps.ts";
import { addSetOption, loadConfiguration } from "./config_options.ts";
import { loadConfigurations } from "./configurations.ts";

/** The command. */
export function checkCommand(): Command {
  const command = new Command("check")
    .summary("show what is wrong with a configuration, or its tree")
    .description(
      "Read the configuration FILE and look for what it needs. Prints the tree as it will be; or every problem, each " +
        "with its file, line and column, and ends with exit code 9.",
    )
    .argument("[file]", "the configuration", CONFIG_NAME);
  return addSetOption(command).action((file: string, options: { set: string[] }) => check(file, options.set));
}

async function check(file: string, flags: readonly string[]): Promise<void> {
  const config = await loadConfiguration(file, flags);
  const { describeTree } = await loadConfigurations();
  const { point } = config.mount;
  console.log(point === undefined ? "No mountpoint (mount.point)" : `At ${point}:`);
  console.log(describeTree(config));
}
