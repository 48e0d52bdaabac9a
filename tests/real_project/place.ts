/** Where the steps of the real-project test work, and as whom. */
import { type CommandOptions, type CommandResult, run, shell, type User } from "../support/command.ts";

/** What a place is made from. */
export interface PlaceOptions {
  /** Under test. */
  directory: string;
  /** Of this machine, outside of what is tested. */
  host: string;
  /** Device nodes and foreign owners can be made. */
  root: boolean;
  /** Whom every command runs as. Default: the caller. */
  user?: User | undefined;
  /** After how many seconds a command counts as hung. Default 600. */
  deadline?: number;
}

/** A directory under test, with one beside it that is known to be right. */
export class Place {
  readonly directory: string;
  readonly host: string;
  readonly root: boolean;
  readonly #user: User | undefined;
  readonly #deadline: number;

  constructor({ directory, host, root, user, deadline = 600 }: PlaceOptions) {
    this.directory = directory;
    this.host = host;
    this.root = root;
    this.#user = user;
    this.#deadline = deadline;
  }

  /** Where git finds {@linkcode Place.run}'s configuration. */
  get gitConfiguration(): string {
    return `${this.host}/gitconfig`;
  }

  /** Runs a command as the place's user, with nothing of the caller's own git configuration. */
  run(command: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return run(command, this.#complete(options));
  }

  /** As `run`, with shell text. */
  shell(script: string, options: CommandOptions = {}): Promise<CommandResult> {
    return shell(script, this.#complete(options));
  }

  #complete(options: CommandOptions): CommandOptions {
    const env = { GIT_CONFIG_GLOBAL: this.gitConfiguration, GIT_CONFIG_NOSYSTEM: "1", HOME: this.host };
    return {
      deadline: this.#deadline,
      ...options,
      env: { ...env, ...options.env },
      ...(this.#user && { user: this.#user }),
    };
  }
}
