/** Paths of the host in a configuration: `~` and `${VAR}` expand, and what is relative starts at the file's folder. */
import { resolve } from "node:path";
import { type Problem, problemAt } from "./problems.ts";
import type { Settings } from "./settings.ts";
import type { KeyPath } from "./toml.ts";

/** Where a configuration is read. */
export interface Surroundings {
  /** The environment's variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** The absolute path of the file's folder. */
  readonly folder: string;
  /** The absolute path of the current folder, where paths from the environment and from flags start. */
  readonly currentFolder: string;
}

/** A text with what could not be expanded in it. */
export interface Expansion {
  readonly text: string;
  readonly problems: readonly string[];
}

/** Expands `${VAR}`; `$$` is a dollar sign. */
function expandVariables(text: string, environment: Readonly<Record<string, string>>): Expansion {
  const problems: string[] = [];
  const expanded = text.replace(/\$\$|\$\{([^}]*)\}|\$/g, (found, name?: string) => {
    if (found === "$$") return "$";
    if (name === undefined || !/^[A-Za-z_]\w*$/.test(name)) {
      problems.push("a dollar sign without {NAME}; write ${NAME} for a variable, and $$ for a dollar sign");
    } else if (!Object.hasOwn(environment, name)) {
      problems.push(`\${${name}} is not set in the environment`);
    } else {
      return environment[name]!;
    }
    return found;
  });
  return { text: expanded, problems };
}

/** Expands `~` at the beginning, and `${VAR}`. */
function expandPath(text: string, environment: Readonly<Record<string, string>>): Expansion {
  if (!text.startsWith("~")) return expandVariables(text, environment);
  const { text: rest, problems } = expandVariables(text.slice(1), environment);
  if (rest !== "" && !rest.startsWith("/")) {
    return {
      text,
      problems: [...problems, `only ~ alone or ~/ is known, not ${JSON.stringify(text)}; write the path`],
    };
  }
  const home = environment["HOME"];
  return home ? { text: home + rest, problems } : { text, problems: [...problems, "~ needs HOME in the environment"] };
}

/** Expands the paths of one configuration, and remembers what could not be. */
export class HostPaths {
  readonly problems: Problem[] = [];
  readonly #settings: Settings;
  readonly #surroundings: Surroundings;

  constructor(settings: Settings, surroundings: Surroundings) {
    this.#settings = settings;
    this.#surroundings = surroundings;
  }

  /** The absolute path that `text`, the value at `path` or a part of it, means. */
  resolve(text: string, path: KeyPath): string {
    const expanded = this.#take(expandPath(text, this.#surroundings.environment), path);
    const { folder, currentFolder } = this.#surroundings;
    return resolve(this.#settings.originOf(path).by === "override" ? currentFolder : folder, expanded);
  }

  /** The text that the value at `path` means, with its variables. */
  expand(text: string, path: KeyPath): string {
    return this.#take(expandVariables(text, this.#surroundings.environment), path);
  }

  #take({ text, problems }: Expansion, path: KeyPath): string {
    for (const problem of new Set(problems)) this.problems.push(problemAt(this.#settings, path, problem));
    return text;
  }
}
