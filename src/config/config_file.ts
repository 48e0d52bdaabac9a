/** The file: its bytes, its text, and whether that is TOML. */
import { ConfigError, type Problem } from "./problems.ts";
import { type Position, TomlDocument, TomlError } from "./toml.ts";
import { pathProblem } from "./path_problems.ts";

/**
 * The text of `file`.
 *
 * @throws {ConfigError} when it cannot be read, or is not UTF-8.
 */
export async function readConfigFile(file: string): Promise<string> {
  return decode(file, await readBytes(file));
}

/** What `text` says. @throws {ConfigError} when it is no TOML. */
export function parseConfigFile(file: string, text: string): TomlDocument {
  try {
    return TomlDocument.parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new ConfigError(file, [at(file, error.position, `not TOML: ${error.message}`)], { cause: error });
  }
}

function at(file: string, position: Position, message: string): Problem {
  return { where: `${file}:${position.line}:${position.column}`, position, message };
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(file);
  } catch (error) {
    const reason = pathProblem(error, {
      ENOENT: "it does not exist; `init` writes one",
      EISDIR: "it is a directory",
      EACCES: `user ${Deno.uid()} may not read it`,
      ENOTDIR: "a part of the path is not a directory",
    });
    if (reason === undefined) throw error;
    throw new ConfigError(file, [{ where: file, message: `cannot be read: ${reason}` }], { cause: error });
  }
}

function decode(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    // The first line that has the sign for what could not be read.
    const lines = new TextDecoder().decode(bytes).split("\n");
    const line = lines.findIndex((line) => line.includes("\ufffd"));
    const position = { line: line + 1, column: (lines[line] ?? "").indexOf("\ufffd") + 1 };
    throw new ConfigError(file, [at(file, position, "not TOML: not UTF-8")], { cause: error });
  }
}
