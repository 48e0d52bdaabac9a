/** The table of a program's commands and options, and what a command line gives to one of them. */

/** A program, whose commands are below it. */
export interface Program {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  /** Flags that can be given with every command. */
  readonly options: readonly Option[];
  /** What follows its help. */
  readonly after: string;
  readonly commands: readonly Command[];
}

/** A command: what it takes, and what it does. */
export interface Command {
  readonly name: string;
  /** A line for the list of all commands. */
  readonly summary: string;
  readonly description: string;
  /** What follows its name in its help, where that is not what its options and arguments say. */
  readonly usage?: string;
  readonly arguments?: readonly Argument[];
  readonly options?: readonly Option[];
  /** What follows its help. */
  readonly after?: string;
  /** Left out of the list of all commands. */
  readonly hidden?: boolean;
  /** Does it; what it returns is an exit code (default: 0). */
  readonly run: (given: Given) => Promise<number | void>;
}

/** `<must be there>`, `[may be there]` or `[as many as there are...]`, and what it means. */
export type Argument = readonly [term: string, description: string];

/** A flag, or an option with a value. */
export interface Option {
  /** `config` of `--config`; for an option without a long name its letter. */
  readonly name: string;
  /** `c` of `-c`. */
  readonly letter?: string;
  /** `<file>` when it takes a value, `[file]` when it may take one. A flag has none. */
  readonly value?: string;
  readonly description: string;
  /** Left out of help. */
  readonly hidden?: boolean;
}

/** What a command line gives to a command. Options go by their names. */
export interface Given {
  /** The arguments, by their places. */
  readonly words: readonly string[];
  /** Whether a flag is there. */
  has(name: string): boolean;
  /** An option's value, the last one; empty when it was left out where it may be. */
  value(name: string): string | undefined;
  /** All values of an option, in their order. */
  values(name: string): readonly string[];
}

/** A command line that asks for nothing there is. */
export class CommandLineError extends Error {
  override name = "CommandLineError";
}

/** An option as it is given: `-c, --config <file>`. */
export function flagsOf({ name, letter, value }: Option): string {
  const names = [...letter === undefined ? [] : [`-${letter}`], ...name === letter ? [] : [`--${name}`]];
  return [names.join(", "), ...value === undefined ? [] : [value]].join(" ");
}
