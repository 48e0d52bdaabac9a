/** Any valid configuration, written as TOML in any of its forms, is read as what it says. */
import type { BranchConfig } from "../../src/config/config.ts";
import { formatValue } from "../../src/config/format_value.ts";
import { CREATE_POLICIES } from "../../src/layers/union/policies.ts";
import { assertEquals, fc } from "../deps.ts";
import { configOf, problemsOf } from "./configurations.ts";

/** A key as the file has it, and the option that it becomes. */
interface Key {
  readonly written: unknown;
  readonly meant: unknown;
}

type Keys = Record<string, Key>;

const same = <Value>(values: fc.Arbitrary<Value>) => values.map((value): Key => ({ written: value, meant: value }));

const size = fc.tuple(fc.nat(1000), fc.constantFrom("", "K", "m", "G", "T")).map(([number, unit]): Key => ({
  written: unit === "" ? number : `${number}${unit}`,
  meant: number * 1024 ** " kmgt".indexOf(unit.toLowerCase() || " "),
}));

const mode = fc.nat(0o7777).map((bits): Key => ({ written: bits.toString(8), meant: bits }));
const id = same(fc.nat(2 ** 32 - 2));
// Whatever a name can have in it, quotes and line ends too; a dollar sign is written twice.
const name = fc.string({ unit: "binary", minLength: 1, maxLength: 20 })
  .filter((text) => text.isWellFormed() && /\S/.test(text) && !/[/\0:]|^\.{1,2}$/.test(text));
const hostPath = fc.array(name, { minLength: 1, maxLength: 4 }).map((names): Key => {
  const path = "/" + names.join("/");
  return { written: path.replaceAll("$", "$$$$"), meant: path };
});

/** Some of the keys, under the file's names; the values' order is the one of the names. */
const some = (keys: Record<string, fc.Arbitrary<Key>>): fc.Arbitrary<Keys> =>
  fc.record(keys, { requiredKeys: [] }) as fc.Arbitrary<Keys>;

const flag = same(fc.boolean());

const wrappers = some({ read_only: flag, max_size: size, hidden: same(fc.array(name, { maxLength: 3 })) });
const ownership = some({ uid: id, gid: id, file_mode: mode, directory_mode: mode });
const memory = some({ size, inodes: size, mode, uid: id, gid: id, keep_content: flag });
const passthrough = fc.tuple(
  hostPath,
  some({
    cache: same(fc.constantFrom("auto", "always")),
    kernel_passthrough: flag,
    remote_posix_lock: flag,
    remote_flock: flag,
    cross_mounts: flag,
    max_descriptors: same(fc.integer({ min: 16, max: 2 ** 24 })),
  }),
).map(([source, keys]): Keys => ({ source, ...keys }));

const unionSource = fc.tuple(hostPath, fc.constantFrom(":rw", ":ro", "")).map(([path, suffix]): Key => ({
  written: path.written + suffix,
  meant: { path: path.meant, writable: suffix !== ":ro" },
}));
const union = fc.tuple(
  fc.array(unionSource, { minLength: 1, maxLength: 3 }),
  some({ create: same(fc.constantFrom(...Object.keys(CREATE_POLICIES))) }),
)
  .map(([sources, keys]): Keys => ({
    sources: { written: sources.map(({ written }) => written), meant: sources.map(({ meant }) => meant) },
    ...keys,
  }));

const branch = fc.record({
  own: fc.oneof(
    fc.record({ type: fc.constant("memory"), keys: memory }),
    fc.record({ type: fc.constant("passthrough"), keys: passthrough }),
    fc.record({ type: fc.constant("union"), keys: union }),
  ),
  wrappers,
  ownership,
  path: fc.array(name, { maxLength: 3 }).map((names) => "/" + names.join("/")),
});

type Branch = typeof branch extends fc.Arbitrary<infer Type> ? Type : never;

const camelCase = (key: string) => key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
const written = (keys: Keys) => Object.fromEntries(Object.entries(keys).map(([key, { written }]) => [key, written]));
const meant = (keys: Keys) =>
  Object.fromEntries(Object.entries(keys).map(([key, { meant }]) => [camelCase(key), meant]));

/** A table as lines of keys; `inline` chooses between `map = {…}` and `map.uid = …`. */
function write({ own: { type, keys }, wrappers, ownership, path }: Branch, inline: boolean): string {
  const map = written(ownership);
  const table = { path, type, ...written(wrappers), ...written(keys), ...inline && { map } };
  const dotted = inline ? [] : Object.entries(map).map(([key, value]) => [`map.${key}`, value] as const);
  const lines = [...Object.entries(table), ...dotted].map(([key, value]) => `${key} = ${formatValue(value)}`);
  return ["[[branch]]", ...lines, ""].join("\n");
}

function expected({ own: { type, keys }, wrappers, ownership, path }: Branch): Record<string, unknown> {
  const defaults = { readOnly: false, hidden: [] };
  const common = { path, type, wrappers: { ...defaults, ...meant(wrappers), ownership: meant(ownership) } };
  switch (type) {
    case "union": {
      const { sources, create: createPolicy = "ff" } = meant(keys);
      return { ...common, sources, createPolicy };
    }
    case "memory": {
      const half = Math.floor(Deno.systemMemoryInfo().total / 2);
      return { ...common, options: { size: half, inodes: 0, mode: 0o755, keepContent: false, ...meant(keys) } };
    }
    default:
      return {
        ...common,
        options: {
          cache: "auto",
          writeback: false,
          kernelPassthrough: true,
          remotePosixLock: true,
          remoteFlock: true,
          crossMounts: true,
          ...meant(keys),
        },
      };
  }
}

Deno.test("any valid configuration is read as what it says", () => {
  const branches = fc.uniqueArray(branch, { selector: ({ path }) => path, minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(branches, fc.boolean(), (branches, inline) => {
      const config = configOf(branches.map((branch) => write(branch, inline)).join("\n"));
      const read = config.branches.toSorted((one, other) => one.index - other.index);
      const known = ({ id: _id, index: _index, ...rest }: BranchConfig): Record<string, unknown> => rest;
      assertEquals(read.map(known), branches.map(expected));
      const first = branches.some(({ path }) => path === "/") ? 0 : 1;
      assertEquals(config.branches.map(({ id }) => id), branches.map((_, index) => first + index));
    }),
  );
});

Deno.test("no text makes reading it fail otherwise than with problems that have a place", () => {
  const text = fc.array(
    fc.oneof(
      fc.constantFrom(
        "[mount]",
        "[[branch]]",
        "[run]",
        'path = "/"',
        'type = "memory"',
        'type = "union"',
        "\n",
        "=",
        "id = 1",
      ),
      fc.constantFrom(
        "branch",
        "mount",
        ".",
        "[",
        "]",
        "{",
        "}",
        '"',
        "'",
        "size",
        "env",
        "point",
        "options",
        "1",
        " ",
        ",",
      ),
      fc.string({ unit: "grapheme", maxLength: 6 }),
    ),
    { maxLength: 30 },
  ).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, (text) => {
      for (const problem of problemsOf(text)) assertEquals(/^t\.toml:\d+:\d+: ./.test(problem), true, problem);
    }),
    { numRuns: 1000 },
  );
});
