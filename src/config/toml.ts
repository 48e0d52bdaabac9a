/** TOML with places: what a text says, and in which line and column it says it. */
import { type AST, getStaticTOMLValue, ParseError, parseTOML } from "./deps.ts";

/** A line and a column (of UTF-16 units, as editors count), both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where a key and its value stand; for a table both are its header. */
export interface Place {
  readonly key: Position;
  readonly value: Position;
}

/** Keys and indices from the top, such as `["branch", 0, "path"]`. */
export type KeyPath = readonly (string | number)[];

/** What is not TOML, and where. */
export class TomlError extends Error {
  override readonly name = "TomlError";
  readonly position: Position;

  constructor(message: string, position: Position, options?: ErrorOptions) {
    super(message, options);
    this.position = position;
  }
}

/** A parsed text. */
export class TomlDocument {
  /** Tables as objects, arrays of tables and lists as arrays, dates as `Date`. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly #places = new Map<string, Place>();

  private constructor(program: AST.TOMLProgram) {
    this.value = getStaticTOMLValue(program) as Record<string, unknown>;
    for (const node of program.body[0].body) {
      if (node.type === "TOMLTable") this.#addTable(node);
      else this.#addKeyValue(node, []);
    }
  }

  /** Reads TOML 1.0. @throws {TomlError} at the first place that is none: what follows it could mean anything. */
  static parse(text: string): TomlDocument {
    try {
      return new TomlDocument(parseTOML(text, { tomlVersion: "1.0" }));
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      const position = { line: error.lineNumber, column: error.column + 1 };
      throw new TomlError(error.message, position, { cause: error });
    }
  }

  /** Where the text says `path`, or undefined when it does not. */
  locate(path: KeyPath): Place | undefined {
    return this.#places.get(JSON.stringify(path));
  }

  // A table that is spread over the text, by dotted keys or headers of its parts, stands where it is first named.
  #add(path: KeyPath, key: Position, value = key): void {
    const name = JSON.stringify(path);
    if (!this.#places.has(name)) this.#places.set(name, { key, value });
  }

  #addTable(table: AST.TOMLTable): void {
    const header = startOf(table);
    table.resolvedKey.forEach((_, index) => this.#add(table.resolvedKey.slice(0, index + 1), header));
    for (const node of table.body) this.#addKeyValue(node, table.resolvedKey);
  }

  #addKeyValue({ key, value }: AST.TOMLKeyValue, table: KeyPath): void {
    let path = table;
    for (const part of key.keys) {
      path = [...path, part.type === "TOMLBare" ? part.name : part.value];
      this.#add(path, startOf(part), part === key.keys.at(-1) ? startOf(value) : startOf(part));
    }
    this.#addContent(value, path);
  }

  #addContent(node: AST.TOMLContentNode, path: KeyPath): void {
    if (node.type === "TOMLInlineTable") node.body.forEach((pair) => this.#addKeyValue(pair, path));
    if (node.type !== "TOMLArray") return;
    node.elements.forEach((element, index) => {
      this.#add([...path, index], startOf(element));
      this.#addContent(element, [...path, index]);
    });
  }
}

function startOf({ loc }: AST.TOMLNode): Position {
  return { line: loc.start.line, column: loc.start.column + 1 };
}
