/** What was set, and by whom: the file's values with those of the environment and of flags over them. */
import type { KeyPath, Position, TomlDocument } from "./toml.ts";

/** A value from outside of the file. */
export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
  /** The variable or flag, as it is named to the user: `TRELLIS_MOUNT_POINT`, `--set mount.point`. */
  readonly source: string;
}

/** Who decided a value. */
export type Origin =
  | { readonly by: "default" }
  | { readonly by: "file"; readonly file: string; readonly position: Position }
  | { readonly by: "override"; readonly source: string };

/** All that was set. Later overrides win over earlier ones, and all of them over the file. */
export class Settings {
  /** The file's name, as it was given. */
  readonly file: string;
  /** What was set, unchecked. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly #document: TomlDocument;
  readonly #overrides: readonly Override[];

  constructor(file: string, document: TomlDocument, overrides: readonly Override[]) {
    this.file = file;
    this.#document = document;
    this.#overrides = overrides;
    this.value = overrides.reduce((value, override) => withValue(value, override.path, override.value), document.value);
  }

  /** Who decided the value at `path`. */
  originOf(path: KeyPath): Origin {
    const override = this.#overrideOf(path);
    if (override !== undefined) return { by: "override", source: override.source };
    const place = this.#document.locate(path);
    return place === undefined ? { by: "default" } : { by: "file", file: this.file, position: place.value };
  }

  /** Where a problem with `path` is to be looked for: at what is missing, the nearest table around it. */
  placeOf(path: KeyPath, part: "key" | "value"): { where: string; position?: Position } {
    const override = this.#overrideOf(path);
    if (override !== undefined) return { where: override.source };
    const place = this.#document.locate(path);
    if (place !== undefined) return this.#inFile(place[part]);
    return path.length === 0 ? this.#inFile({ line: 1, column: 1 }) : this.placeOf(path.slice(0, -1), "key");
  }

  #inFile(position: Position): { where: string; position: Position } {
    return { where: `${this.file}:${position.line}:${position.column}`, position };
  }

  /** The override that has set what stands at `path`. */
  #overrideOf(path: KeyPath): Override | undefined {
    return this.#overrides.findLast((override) => override.path.every((key, index) => key === path[index]));
  }
}

function withValue(value: unknown, [key, ...rest]: readonly string[], leaf: unknown): Record<string, unknown> {
  // What is no table is left for the schema to complain of.
  const table = isTable(value) ? value : {};
  if (key === undefined) return table;
  return { ...table, [key]: rest.length === 0 ? leaf : withValue(table[key], rest, leaf) };
}

/** Whether a value is a table. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
