/** `explain`: why a path of the tree is what it is. */
import { Command } from "../deps.ts";
import { addConfigOptions, loadConfiguration } from "./config_options.ts";
import { loadConfigurations } from "./configurations.ts";
import { Failure } from "./failure.ts";

/** The command. */
export function explainCommand(): Command {
  const command = new Command("explain")
    .summary("say which branch, source and options a path has")
    .description(
      "Say of PATH, one in the tree or below the mountpoint, which branch it belongs to, where on the host it comes " +
        "from, which options hold there, and which of default, file, environment and flag decided each.",
    )
    .argument("<path>", "a path, such as /src/main.c");
  return addConfigOptions(command).action((path: string, options: { config: string; set: string[] }) =>
    explainPath(path, options)
  );
}

async function explainPath(path: string, { config: file, set }: { config: string; set: string[] }): Promise<void> {
  const config = await loadConfiguration(file, set);
  const { explain, treePath } = await loadConfigurations();
  const inTree = treePath(config, path, Deno.cwd());
  if (inTree === undefined) {
    const below = config.mount.point === undefined ? "" : `, or one below ${config.mount.point}`;
    throw new Failure("USAGE", `Cannot explain ${path}: name a path in the tree, from /${below}`);
  }
  console.log(await explain(config, inTree));
}
