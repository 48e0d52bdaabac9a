/** Takes a command line's options and arguments apart. */
import { parseArgs } from "../deps.ts";
import { CommandLineError, flagsOf, type Given, type Option } from "./command.ts";

/** What is given, and which of the words begin like options and are none. @throws {CommandLineError} when a value is missing. */
export function readOptions(words: readonly string[], options: readonly Option[]): Given & { unknown: string[] } {
  const unknown: string[] = [];
  const names = options.map(({ name }) => name);
  const { _: operands, ...found }: Record<string, string[]> = parseArgs(spellOut(words, options), {
    string: names,
    collect: names,
    unknown: (word: string) => unknown.push(word) === 0,
  });
  for (const { name } of options.filter(({ value }) => value === undefined)) {
    unknown.push(...found[name]!.filter((value) => value !== "true").map((value) => `--${name}=${value}`));
  }
  const values = (name: string) => found[name]!;
  return {
    words: operands!,
    unknown,
    has: (name) => values(name).length > 0,
    value: (name) => values(name).at(-1),
    values,
  };
}

/**
 * The options as `--name=value`, and after `--` the arguments: parseArgs by itself takes `-oVALUE` for six letters, an empty
 * value for none, `--json true` for one option, and arguments for numbers.
 */
function spellOut(words: readonly string[], options: readonly Option[]): string[] {
  const spelled: string[] = [];
  const operands: string[] = [];
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const isLong = word.startsWith("--");
    const option = options.find(({ name, letter }) => isLong ? word === `--${name}` : word[1] === letter);
    const attached = isLong ? "" : word.slice(2);
    if (word === "--") operands.push(...rest.splice(0));
    else if (!/^-./.test(word)) operands.push(word);
    else if (option === undefined) spelled.push(word);
    else if (option.value !== undefined) spelled.push(`--${option.name}=${attached || takeValue(option, rest)}`);
    else {
      spelled.push(`--${option.name}=true`);
      if (attached !== "") rest.unshift(`-${attached}`);
    }
  }
  return [...spelled, "--", ...operands];
}

function takeValue(option: Option, rest: string[]): string {
  if (option.value!.startsWith("[")) return rest[0] === undefined || rest[0].startsWith("-") ? "" : rest.shift()!;
  const value = rest.shift();
  if (value === undefined) throw new CommandLineError(`option '${flagsOf(option)}' argument missing`);
  return value;
}
