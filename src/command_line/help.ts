/** The help of a program and its commands: what they do and take, in columns that fit the terminal. */
import { type Argument, type Command, flagsOf, type Option, type Program } from "./command.ts";

export const VERSION: Option = { name: "version", letter: "V", description: "print the version" };
export const HELP: Option = { name: "help", letter: "h", description: "display help for command" };
export const HELP_COMMAND = { name: "help", arguments: [["[command]", ""]], summary: HELP.description } as const;

/** A column that is narrower is not worth breaking lines for. */
const LEAST_WIDTH = 40;

type Item = readonly [term: string, description: string];

/** The help of the program, in lines of at most `width`. */
export function describeProgram({ name, description, options, commands, after }: Program, width: number): string {
  const shown = [...commands.filter(({ hidden }) => hidden !== true), HELP_COMMAND];
  const sections = {
    "Options": describeOptions([VERSION, ...options, HELP]),
    "Commands": shown.map((command): Item => [termOf(command), command.summary]),
  };
  return format(`${name} [options] [command]`, description, sections, after, width);
}

/** The help of a command, in lines of at most `width`. */
export function describeCommand(program: Program, command: Command, width: number): string {
  const { name, arguments: taken = [], options = [], description, after = "" } = command;
  const { usage = ["[options]", ...taken.map(([term]) => term)].join(" ") } = command;
  const sections = {
    "Arguments": taken.map(([term, description]): Item => [term.replace(/[<>[\].]/g, ""), description]),
    "Options": describeOptions([...options, HELP]),
    "Global Options": describeOptions([VERSION, ...program.options]),
  };
  return format(`${program.name} ${name} ${usage}`, description, sections, after, width);
}

function termOf(
  { name, options = [], arguments: taken = [] }: Pick<Command, "name" | "options" | "arguments">,
): string {
  return [name, ...options.length > 0 ? ["[options]"] : [], ...taken.map(([term]: Argument) => term)].join(" ");
}

function describeOptions(options: readonly Option[]): Item[] {
  return options.filter(({ hidden }) => hidden !== true).map((option) => [flagsOf(option), option.description]);
}

function format(
  usage: string,
  description: string,
  sections: Readonly<Record<string, readonly Item[]>>,
  after: string,
  width: number,
): string {
  const column = Math.max(...Object.values(sections).flat().map(([term]) => term.length));
  const blocks = Object.entries(sections).filter(([, items]) => items.length > 0).map(([title, items]) =>
    `${title}:\n${items.map((item) => formatItem(item, column, width)).join("")}`
  );
  return [`Usage: ${usage}\n`, `${wrap(description, width)}\n`, ...blocks, after].join("\n").trimEnd();
}

function formatItem([term, description]: Item, column: number, width: number): string {
  const margin = `  ${term.padEnd(column)}  `;
  const text = wrap(description, width - margin.length);
  return `${margin}${text.replaceAll("\n", `\n${" ".repeat(margin.length)}`)}\n`;
}

/** Breaks lines between words. */
function wrap(text: string, width: number): string {
  if (width < LEAST_WIDTH) return text;
  return text.replace(new RegExp(`(.{1,${width}})(?: |$)`, "g"), "$1\n").trimEnd();
}
