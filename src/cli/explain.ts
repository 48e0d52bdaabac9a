/** `explain`: why a path of the tree is what it is. */
import { CONFIG_NAME } from "../config/template.ts";
import type { Command } from "../command_line/command.ts";
import { loadConfiguration, loadConfigurations } from "./configurations.ts";
import { Failure } from "./failure.ts";
import { CONFIG_OPTION, SET_OPTION } from "./shared_options.ts";

/** The command. */
export const COMMAND: Command = {
  name: "explain",
  summary: "say which branch, source and options a path has",
  description:
    "Say of PATH, one in the tree or below the mountpoint, which branch it belongs to, where on the host it comes " +
    "from, which options hold there, and which of default, file, environment and flag decided each.",
  arguments: [["<path>", "a path, such as /src/main.c"]],
  options: [CONFIG_OPTION, SET_OPTION],
  run: ({ words: [path], value, values }) => explainPath(path!, value("config") ?? CONFIG_NAME, values("set")),
};

async function explainPath(path: string, file: string, set: readonly string[]): Promise<void> {
  const config = await loadConfiguration(file, set);
  const { explain, treePath } = await loadConfigurations();
  const inTree = treePath(config, path, Deno.cwd());
  if (inTree === undefined) {
    const below = config.mount.point === undefined ? "" : `, or one below ${config.mount.point}`;
    throw new Failure("USAGE", `Cannot explain ${path}: name a path in the tree, from /${below}`);
  }
  console.log(await explain(config, inTree));
}
