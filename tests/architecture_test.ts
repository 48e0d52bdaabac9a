/**
 * The plan of the house holds: who may import whom, where C is called, how files are named and how long they are, and
 * that all that is public says what it is.
 */
import { assert, assertEquals } from "./deps.ts";

interface SourceFile {
  /** From the repository's root, as in `"src/fs/names.ts"`. */
  readonly path: string;
  readonly text: string;
}

const ROOT = new URL("../", import.meta.url);

// What the parts that serve a mount share: they know each other through messages only.
const SHARED = ["ffi", "src/fs", "src/metrics", "src/protocol", "src/messages.ts"];
const SERVING = ["src/kept", "src/connection", "src/session", "src/handler", "src/channels"];

/** Which rooms the files of a room may import beside their own. Nobody may import what has no room here. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "ffi": [],
  "src/deps.ts": [],
  "src/command_line": ["src/deps.ts", "src/config"],
  "src/fs": [],
  "src/threads": ["ffi", "src/fs", "src/messages.ts"],
  "src/metrics": ["ffi", "src/fs"],
  "src/kept": ["ffi", "src/fs"],
  "src/messages.ts": ["src/fs", "src/metrics", "src/protocol"],
  "src/protocol": ["ffi", "src/fs"],
  "src/transport": [...SHARED, "src/threads"],
  "src/connection": SHARED,
  "src/session": [...SHARED, "src/kept", "src/threads", "src/transport"],
  "src/handler": [...SHARED, "src/kept", "src/threads", "src/transport"],
  "src/channels": [...SHARED, "src/threads"],
  "src/telemetry": ["src/metrics"],
  "src/control": ["ffi", "src/fs", "src/connection", "src/metrics", "src/threads"],
  "src/layers/support": ["src/fs", "src/threads"],
  "src/layers/branch": ["src/fs", "src/layers/support"],
  "src/layers/wrappers": ["src/fs", "src/layers/support"],
  "src/layers/memory": ["src/fs", "src/kept", "src/layers/support"],
  "src/layers/union": ["src/fs", "src/kept", "src/layers/support"],
  "src/layers/passthrough": ["ffi", "src/fs", "src/kept", "src/threads", "src/layers/support"],
  "src/keeper": [
    "ffi",
    "src/fs",
    "src/kept",
    "src/connection",
    "src/control",
    "src/guards",
    "src/messages.ts",
    "src/metrics",
    "src/protocol",
    "src/threads",
    "src/transport",
  ],
  "src/workers": [
    ...SHARED,
    ...SERVING,
    "src/control",
    "src/keep.ts",
    "src/keeper",
    "src/placements",
    "src/session.ts",
    "src/threads",
    "src/transport",
  ],
  "src/session.ts": [...SHARED, ...SERVING, "src/transport"],
  "src/placements": [...SHARED, ...SERVING, "src/control", "src/session.ts", "src/threads", "src/transport"],
  "src/mount_options.ts": ["src/control", "src/handler", "src/protocol", "src/transport"],
  "src/kept_mount_options.ts": ["src/fs", "src/handler", "src/mount_options.ts", "src/placements"],
  "src/keep.ts": [
    "src/fs",
    "src/handler",
    "src/connection",
    "src/control",
    "src/keeper",
    "src/kept_mount_options.ts",
    "src/metrics",
    "src/mount_options.ts",
    "src/placements",
    "src/threads",
  ],
  "src/keeper_process.ts": [
    "ffi",
    "src/fs",
    "src/connection",
    "src/keeper",
    "src/kept_mount_options.ts",
    "src/metrics",
    "src/mount_options.ts",
    "src/placements",
  ],
  "src/mount.ts": [
    ...SHARED,
    ...SERVING,
    "src/control",
    "src/keeper",
    "src/keeper_process.ts",
    "src/kept_mount_options.ts",
    "src/mount_options.ts",
    "src/threads",
    "src/transport",
    "src/session.ts",
    "src/placements",
  ],
  "src/guards": [],
  "src/container": ["ffi", "src/guards"],
  "src/config": [
    "src/deps.ts",
    "src/fs",
    "src/connection",
    "src/control",
    "src/layers/branch",
    "src/layers/memory",
    "src/layers/passthrough",
    "src/layers/union",
    "src/layers/wrappers",
    "src/kept_mount_options.ts",
    "src/mount.ts",
    "src/threads",
  ],
  "src/cli": [
    "deno.json",
    "ffi",
    "src/command_line",
    "src/deps.ts",
    "src/fs",
    "src/guards",
    "src/config",
    "src/connection",
    "src/container",
    "src/control",
    "src/keep.ts",
    "src/keeper",
    "src/kept",
    "src/kept_mount_options.ts",
    "src/layers/branch",
    "src/layers/memory",
    "src/layers/passthrough",
    "src/metrics",
    "src/mount.ts",
    "src/telemetry",
    "src/threads",
    "src/transport",
  ],
  "mod.ts": [
    "ffi",
    "src/fs",
    "src/layers/support",
    "src/layers/branch",
    "src/layers/memory",
    "src/layers/union",
    "src/layers/wrappers",
    "src/connection",
    "src/keeper",
    "src/session.ts",
    "src/mount.ts",
  ],
  "cli.ts": ["src/cli"],
};

const LINE_LIMIT = 500;

// Names that say nothing: what is in such a file has a better one.
const EMPTY_NAMES = ["util", "utils", "helper", "helpers", "manager", "base", "impl", "common", "misc"];

async function readSources(folder: string): Promise<SourceFile[]> {
  const sources: SourceFile[] = [];
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = folder + entry.name;
    if (entry.isDirectory && !entry.name.startsWith(".")) sources.push(...await readSources(path + "/"));
    if (entry.isFile && path.endsWith(".ts")) {
      sources.push({ path, text: await Deno.readTextFile(new URL(path, ROOT)) });
    }
  }
  return sources.sort((one, other) => one.path < other.path ? -1 : 1);
}

/** What a file imports and re-exports. Relies on `deno fmt`: statements begin a line, strings have double quotes. */
function specifiersOf({ text }: SourceFile): string[] {
  const statements = text.matchAll(/^(?:import|export)\s(?:[\w*{][^"';=()]*\sfrom\s)?"([^"]+)"/gm);
  const expressions = text.matchAll(/\bimport\("([^"]+)"\)/g);
  return [...statements, ...expressions].map((found) => found[1]!);
}

/** The path a relative specifier means, from the repository's root. */
function resolveImport(from: string, specifier: string): string {
  return new URL(specifier, new URL(from, "file:///")).pathname.slice(1);
}

function importedPaths(file: SourceFile): string[] {
  return specifiersOf(file).filter((specifier) => specifier.startsWith(".")).map((one) =>
    resolveImport(file.path, one)
  );
}

/** What loading a file loads: neither types nor what it imports when it is needed. */
function loadedAtStart({ path, text }: SourceFile): string[] {
  const statements = text.matchAll(/^(?:import|export)\s(?!type\b)(?:[\w*{][^"';=()]*\sfrom\s)?"(\.[^"]+)"/gm);
  return [...statements].map((found) => resolveImport(path, found[1]!));
}

/** The room of a file: its folder; a layer's own folder; a file directly in src or at the top is a room by itself. */
function roomOf(path: string): string {
  const parts = path.split("/");
  if (parts[0] === "ffi") return "ffi";
  if (parts[0] !== "src") return parts.length === 1 ? path : parts[0]!;
  return parts.slice(0, parts[1] === "layers" ? 3 : 2).join("/");
}

function isShipped({ path }: SourceFile): boolean {
  return /^(?:ffi|src)\/|^(?:mod|cli)\.ts$/.test(path);
}

/** What `mount` of a directory loads before it is ready. */
const READY_WITH = [
  "cli.ts",
  "src/cli/run.ts",
  "src/cli/mount.ts",
  "src/control/listen.ts",
  "src/layers/passthrough/module.ts",
  "src/placements/loops.ts",
  "src/workers/loop.ts",
];

/** Each rule gives a line for every place that breaks it. */
const RULES: Readonly<Record<string, (files: readonly SourceFile[]) => string[]>> = {
  "imports follow the table": (files) =>
    files.filter(isShipped).flatMap((file) => {
      const room = roomOf(file.path);
      const allowed = MAY_IMPORT[room];
      if (allowed === undefined) return [`${file.path} is in "${room}", which the table does not know`];
      return importedPaths(file)
        .filter((path) => roomOf(path) !== room && !allowed.includes(roomOf(path)))
        .map((path) => `${file.path} imports ${path}`);
    }),

  "workers are loaded by URL, never imported": (files) =>
    files.flatMap((file) =>
      importedPaths(file).filter((path) => path.startsWith("src/workers/")).map((path) =>
        `${file.path} imports ${path}`
      )
    ),

  "rooms do not import each other in a circle": (files) => {
    const graph = new Map<string, Set<string>>();
    for (const file of files.filter(isShipped)) {
      const targets = graph.getOrInsertComputed(roomOf(file.path), () => new Set());
      for (const path of importedPaths(file)) targets.add(roomOf(path));
    }
    const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
      [...graph.get(from) ?? []].some((next) =>
        next !== from && !seen.has(next) && (next === to || reaches(next, to, seen.add(next)))
      );
    return [...graph.keys()].filter((room) => reaches(room, room)).map((room) => `${room} is in a circle`);
  },

  "the tool starts without what reads configurations": (files) => {
    const byPath = new Map(files.map((file) => [file.path, file]));
    const reached = new Set(["cli.ts", "src/cli/run.ts"]);
    for (const path of reached) {
      const file = byPath.get(path);
      for (const next of file === undefined ? [] : loadedAtStart(file)) reached.add(next);
    }
    return [...reached].filter((path) => path === "src/config/deps.ts" || path === "src/config/mod.ts");
  },

  "a mount is ready without Node's modules": (files) => {
    const byPath = new Map(files.map((file) => [file.path, file]));
    const reached = new Set(READY_WITH);
    for (const path of reached) {
      const file = byPath.get(path);
      for (const next of file === undefined ? [] : loadedAtStart(file)) reached.add(next);
    }
    return [...reached].flatMap((path) =>
      [...(byPath.get(path)?.text ?? "").matchAll(/^import (?!type\b).*"(node:[^"]+)"/gm)]
        .map((found) => `${path} imports ${found[1]}`)
    );
  },

  "C is called in ffi only": (files) =>
    files.filter((file) => isShipped(file) && !file.path.startsWith("ffi/")).flatMap(({ path, text }) =>
      [...text.matchAll(/\bDeno\.(?:dlopen|Unsafe\w+)/g)].map((found) => `${path} uses ${found[0]}`)
    ),

  "packages are named in deps.ts only": (files) =>
    files.filter(({ path }) => !/^(?:src|src\/config|src\/telemetry|tests|bench|examples)\/deps\.ts$/.test(path))
      .flatMap((file) =>
        specifiersOf(file).filter((specifier) => !/^(?:\.{1,2}\/|node:)/.test(specifier))
          .map((specifier) => `${file.path} imports ${specifier}`)
      ),

  "no file is too long": (files) =>
    files.map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
      .filter(({ lines }) => lines > LINE_LIMIT)
      .map(({ path, lines }) => `${path} has ${lines} lines`),

  "names are in snake_case and say something": (files) =>
    files.flatMap(({ path }) => {
      const words = path.replace(/\.ts$/, "").split(/[/_]/);
      const wellFormed = path.split("/").every((part) => /^[a-z][a-z0-9_]*(?:\.ts)?$/.test(part));
      return wellFormed && !words.some((word) => EMPTY_NAMES.includes(word)) ? [] : [path];
    }),

  "a file begins by saying what it is": (files) =>
    files.filter(({ text }) => !/^(?:#!.*\n)?\/[/*]/.test(text)).map(({ path }) => path),
};

Deno.test("the code keeps to the architecture", async (t) => {
  const files = await readSources("");
  for (const [name, rule] of Object.entries(RULES)) {
    await t.step(name, () => assertEquals(rule(files), []));
  }
});

Deno.test("each rule of the architecture finds what breaks it", async (t) => {
  const broken: Record<keyof typeof RULES, [path: string, text: string][]> = {
    "imports follow the table": [
      ["src/fs/names.ts", 'import type { Entry } from "../layers/memory/module.ts";\n'],
      ["src/layers/memory/module.ts", 'export {\n  a,\n  b,\n} from "../passthrough/module.ts";\n'],
      ["src/session/loop.ts", 'const serve = await import("../handler/serve.ts");\n'],
      ["src/drawer/thing.ts", ""],
    ],
    "workers are loaded by URL, never imported": [["tests/one_test.ts", 'import "../src/workers/loop.ts";\n']],
    "rooms do not import each other in a circle": [
      ["src/session/a.ts", 'import { b } from "../handler/b.ts";\n'],
      ["src/handler/b.ts", 'import { a } from "../session/a.ts";\n'],
    ],
    "the tool starts without what reads configurations": [
      ["cli.ts", 'import { run } from "./src/cli/run.ts";\nimport "./src/config/mod.ts";\n'],
      ["src/cli/run.ts", 'import type { A } from "./a.ts";\nimport {\n  z,\n} from "../config/deps.ts";\n'],
    ],
    "a mount is ready without Node's modules": [
      ["src/cli/run.ts", 'import type { Server } from "node:net";\nimport { resolve } from "node:path";\n'],
    ],
    "C is called in ffi only": [["src/session/loop.ts", "const pointer = Deno.UnsafePointer.create(1n);\n"]],
    "packages are named in deps.ts only": [
      ["src/cli/run.ts", 'import { closestString } from "npm:deno-std@1.4.0/text/mod.js";\n'],
      ["src/cli/mount.ts", 'import { assert } from "@std/assert";\n'],
    ],
    "no file is too long": [["src/fs/long.ts", "\n".repeat(LINE_LIMIT + 1)]],
    "names are in snake_case and say something": [["src/fs/fileNames.ts", ""], ["src/fs/path_utils.ts", ""]],
    "a file begins by saying what it is": [["src/fs/bare.ts", "export const one = 1;\n"]],
  };
  assertEquals(Object.keys(broken), Object.keys(RULES));
  for (const [name, files] of Object.entries(broken)) {
    await t.step(name, () => {
      const found = RULES[name]!(files.map(([path, text]) => ({ path, text })));
      assertEquals(found.length, files.length, found.join("\n"));
    });
  }
});

Deno.test("everything public has a doc comment", async () => {
  const args = ["doc", "--lint", "mod.ts", "src/telemetry/mod.ts"];
  const options = { args, cwd: ROOT, env: { NO_COLOR: "1" }, stdout: "null" } as const;
  const { stderr } = await new Deno.Command(Deno.execPath(), options).output();
  const problems = new TextDecoder().decode(stderr).split("\n\n");
  // It also wants types of the inside to be public, such as those of protected members.
  assertEquals(problems.filter((problem) => problem.includes("missing-jsdoc")), []);
});

Deno.test("what is imported asks for no permission before it is used", async () => {
  const layers = ["branch", "memory", "union", "wrappers"].map((layer) => `src/layers/${layer}/mod.ts`);
  for (const entry of ["mod.ts", "src/telemetry/mod.ts", ...layers]) {
    const options = { args: ["run", "--no-prompt", "--quiet", entry], cwd: ROOT, env: { NO_COLOR: "1" } };
    const { success, stderr } = await new Deno.Command(Deno.execPath(), options).output();
    assert(success, `${entry}: ${new TextDecoder().decode(stderr)}`);
  }
});
