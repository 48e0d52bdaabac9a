/** Reads a command line: which command it names, and what it gives to that. */
import { nearestName } from "../config/nearest_name.ts";
import { type Command, CommandLineError, type Given, type Option, type Program } from "./command.ts";
import { describeCommand, describeProgram, HELP, HELP_COMMAND, VERSION } from "./help.ts";
import { readOptions } from "./options.ts";

/** What a command line asks for: that a command be run, or a text, such as help (which is not `wanted` where nothing is). */
export type Request =
  | { readonly command: Command; readonly given: Given }
  | { readonly text: string; readonly wanted: boolean };

/** Texts are in lines of at most `width`. @throws {CommandLineError} for what there is not, such as a command of that name. */
export function readCommandLine(program: Program, words: readonly string[], width: number): Request {
  const place = words.findIndex((word) => !word.startsWith("-"));
  const name = words[place];
  const rest = words.filter((_, index) => index !== place);
  const command = program.commands.find((command) => command.name === name);
  if (command === undefined && name === HELP_COMMAND.name) {
    return { text: helpOn(program, rest[0], width), wanted: true };
  }
  const options = [...command?.options ?? [], ...program.options, VERSION, HELP];
  const given = readOptions(rest, options);
  if (given.has(VERSION.name)) return { text: program.version, wanted: true };
  if (given.has(HELP.name)) return { text: helpOn(program, command?.name, width), wanted: true };
  if (name !== undefined && command === undefined) throw unknownCommand(program, name);
  refuseUnknown(given.unknown, options);
  if (command === undefined) return { text: helpOn(program, undefined, width), wanted: false };
  refuseWords(command, given.words);
  return { command, given };
}

function helpOn(program: Program, name: string | undefined, width: number): string {
  if (name === undefined) return describeProgram(program, width);
  const command = program.commands.find((command) => command.name === name);
  if (command === undefined) throw unknownCommand(program, name);
  return describeCommand(program, command, width);
}

function unknownCommand({ commands }: Program, name: string): CommandLineError {
  const known = commands.filter(({ hidden }) => hidden !== true).map(({ name }) => name);
  return new CommandLineError(`unknown command '${name}'${suggest(name, known)}`);
}

function refuseUnknown([word]: readonly string[], options: readonly Option[]): void {
  if (word === undefined) return;
  const known = options.filter(({ hidden }) => hidden !== true).map(({ name }) => `--${name}`);
  throw new CommandLineError(`unknown option '${word}'${word.startsWith("--") ? suggest(word, known) : ""}`);
}

/** @throws {CommandLineError} for too few and too many. */
function refuseWords({ name, arguments: taken = [] }: Command, words: readonly string[]): void {
  const missing = taken.slice(words.length).find(([term]) => term.startsWith("<"));
  if (missing !== undefined) throw new CommandLineError(`missing required argument '${missing[0].slice(1, -1)}'`);
  if (words.length <= taken.length || taken.at(-1)?.[0].includes("...")) return;
  const expected = `${taken.length} argument${taken.length === 1 ? "" : "s"}`;
  const text = `too many arguments for '${name}'. Expected ${expected} but got ${words.length}`;
  throw new CommandLineError(`${text}: ${words.join(", ")}.`);
}

function suggest(word: string, known: readonly string[]): string {
  const nearest = nearestName(word, known);
  return nearest === undefined ? "" : `\n(Did you mean ${nearest}?)`;
}
