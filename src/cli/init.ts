/** `init`: writes a configuration to begin with. */
import { pathProblem } from "../config/path_problems.ts";
import { CONFIG_NAME, TEMPLATE } from "../config/template.ts";
import type { Command } from "../command_line/command.ts";
import { Failure } from "./failure.ts";

/** The command. */
export const COMMAND: Command = {
  name: "init",
  summary: "write a configuration to begin with",
  description: "Write a configuration with comments to FILE, which must not exist.",
  arguments: [["[file]", `the file to write (default: "${CONFIG_NAME}")`]],
  run: ({ words: [file = CONFIG_NAME] }) => writeTemplate(file),
};

async function writeTemplate(file: string): Promise<void> {
  try {
    await Deno.writeTextFile(file, TEMPLATE, { createNew: true });
  } catch (error) {
    const reason = pathProblem(error, {
      EEXIST: "it exists already; name another file, or remove that one",
      ENOENT: "its folder does not exist",
      ENOTDIR: "a part of the path is not a folder",
      EACCES: `user ${Deno.uid()} may not write there`,
      EROFS: "the filesystem is read-only",
      ENOSPC: "the filesystem is full",
    });
    if (reason === undefined) throw error;
    throw new Failure("CONFIG", `Cannot write ${file}: ${reason}`, { cause: error });
  }
  console.log(`Wrote ${file}; look at it, then: check ${file}`);
}
