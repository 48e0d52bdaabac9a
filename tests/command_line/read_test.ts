/** Command lines: which words are whose, what is said of wrong ones, and help. */
import { assertEquals, assertThrows } from "../deps.ts";
import { type Command, CommandLineError, type Option, type Program } from "../../src/command_line/command.ts";
import { readCommandLine } from "../../src/command_line/read.ts";

const WIDTH = 80;
const run = () => Promise.resolve();

const COPY: Command = {
  name: "copy",
  summary: "copy something",
  description: "Copy FROM to TO, as it is: what it is, where it is from, and all that has ever been said about it.",
  arguments: [["<from>", "what"], ["[to]", "where"]],
  options: [
    { name: "only", letter: "o", value: "<list>", description: "parts" },
    { name: "wait", letter: "w", value: "[seconds]", description: "wait first" },
    {
      name: "log-file",
      value: "<file>",
      description: "where to write what was done, and what was not, and why that is",
    },
    { name: "quiet", letter: "q", description: "say nothing" },
    { name: "n", letter: "n", description: "of one letter" },
    { name: "hidden", description: "for nobody", hidden: true },
  ],
  after: "More.",
  run,
};

const DEBUG: Option = { name: "debug", letter: "d", description: "say more" };

const PROGRAM: Program = {
  name: "tool",
  description: "Does things.",
  version: "1.2.3",
  options: [DEBUG],
  after: "Much more.",
  commands: [
    COPY,
    {
      ...{ name: "run", summary: "run it", description: "Run.", usage: "[--] [word...]", run },
      arguments: [["[word...]", "words"]],
    },
    { name: "hidden", summary: "hidden", description: "Hidden.", hidden: true, run },
  ],
};

/** What is given, as one line: the command, its arguments, its options. */
function summarize(words: readonly string[]): unknown {
  const request = readCommandLine(PROGRAM, words, WIDTH);
  if ("text" in request) return request;
  const { command, given } = request;
  const there = [...command.options ?? [], DEBUG].filter(({ name }) => given.has(name));
  return [command.name, given.words, Object.fromEntries(there.map(({ name }) => [name, given.values(name)]))];
}

Deno.test("options and arguments are found in any order, and those of the program anywhere", async (t) => {
  const cases: [words: string[], command: string, args: string[], options: Record<string, string[]>][] = [
    [["copy", "a"], "copy", ["a"], {}],
    [["copy", "a", "b", "-d"], "copy", ["a", "b"], { debug: ["true"] }],
    [["-d", "copy", "-o", "x", "a", "--only=y", "-oz"], "copy", ["a"], { debug: ["true"], only: ["x", "y", "z"] }],
    [["copy", "-osize=1,mode=7", "a"], "copy", ["a"], { only: ["size=1,mode=7"] }],
    [["copy", "-o", "", "", "--only="], "copy", [""], { only: ["", ""] }],
    [["copy", "-o", "-x", "--only", "--", "a"], "copy", ["a"], { only: ["-x", "--"] }],
    [["copy", "a", "-qn"], "copy", ["a"], { quiet: ["true"], n: ["true"] }],
    [["copy", "a", "-qox", "-qo", "y"], "copy", ["a"], { quiet: ["true", "true"], only: ["x", "y"] }],
    [["copy", "-q", "true", "--debug", "false"], "copy", ["true", "false"], { quiet: ["true"], debug: ["true"] }],
    [["copy", "a", "-w"], "copy", ["a"], { wait: [""] }],
    [["copy", "a", "-w", "2"], "copy", ["a"], { wait: ["2"] }],
    [["copy", "a", "-w", "-q"], "copy", ["a"], { wait: [""], quiet: ["true"] }],
    [["copy", "007", "-"], "copy", ["007", "-"], {}],
    [["copy", "--log-file", "f=1\n", "a"], "copy", ["a"], { "log-file": ["f=1\n"] }],
    [["copy", "a", "--hidden"], "copy", ["a"], { hidden: ["true"] }],
    [["copy", "-q", "--", "-q"], "copy", ["-q"], { quiet: ["true"] }],
    [["run", "--", "--debug", "x", "--"], "run", ["--debug", "x", "--"], {}],
    [["run", "sh", "-d", "--", "-c", "-V"], "run", ["sh", "-c", "-V"], { debug: ["true"] }],
    [["run"], "run", [], {}],
    [["--", "run", "-d"], "run", ["-d"], {}],
    [["hidden"], "hidden", [], {}],
  ];
  for (const [words, ...expected] of cases) {
    await t.step(JSON.stringify(words), () => assertEquals(summarize(words), expected));
  }
});

Deno.test("of an option that is given twice the last value counts", () => {
  const request = readCommandLine(PROGRAM, ["copy", "a", "-o", "x", "-o", "y"], WIDTH);
  assertEquals("given" in request && [request.given.value("only"), request.given.value("wait")], ["y", undefined]);
});

Deno.test("what is wrong is said, with what was probably meant", async (t) => {
  const cases: [words: string[], says: string][] = [
    [["cpoy"], "unknown command 'cpoy'\n(Did you mean copy?)"],
    [["xyz", "--nothing"], "unknown command 'xyz'"],
    [["hiddn"], "unknown command 'hiddn'"],
    [[""], "unknown command ''"],
    [["help", "cpoy"], "unknown command 'cpoy'\n(Did you mean copy?)"],
    [["copy"], "missing required argument 'from'"],
    [["copy", "a", "b", "c"], "too many arguments for 'copy'. Expected 2 arguments but got 3: a, b, c."],
    [["hidden", "a"], "too many arguments for 'hidden'. Expected 0 arguments but got 1: a."],
    [["copy", "a", "--queit"], "unknown option '--queit'\n(Did you mean --quiet?)"],
    [["copy", "a", "--hiddn"], "unknown option '--hiddn'"],
    [["copy", "a", "--nothing", "b", "c"], "unknown option '--nothing'"],
    [["copy", "a", "-x"], "unknown option '-x'"],
    [["copy", "a", "-qx"], "unknown option '-x'"],
    [["copy", "a", "-5"], "unknown option '-5'"],
    [["copy", "a", "--quiet=no"], "unknown option '--quiet=no'\n(Did you mean --quiet?)"],
    [["copy", "a", "--no-quiet"], "unknown option '--no-quiet'\n(Did you mean --quiet?)"],
    [["copy", "a", "--_=b"], "unknown option '--_=b'"],
    [["copy", "a", "--__proto__=b"], "unknown option '--__proto__=b'"],
    [["copy", "a", "--only.x=b"], "unknown option '--only.x=b'\n(Did you mean --only?)"],
    [["copy", "a", "-o"], "option '-o, --only <list>' argument missing"],
    [["copy", "a", "--log-file"], "option '--log-file <file>' argument missing"],
    [["--debgu"], "unknown option '--debgu'\n(Did you mean --debug?)"],
    [["run", "--only", "x"], "unknown option '--only'"],
  ];
  for (const [words, says] of cases) {
    await t.step(JSON.stringify(words), () => {
      assertEquals(assertThrows(() => readCommandLine(PROGRAM, words, WIDTH), CommandLineError).message, says);
    });
  }
});

const HELP = `Usage: tool [options] [command]

Does things.

Options:
  -V, --version               print the version
  -d, --debug                 say more
  -h, --help                  display help for command

Commands:
  copy [options] <from> [to]  copy something
  run [word...]               run it
  help [command]              display help for command

Much more.`;

const COPY_HELP = `Usage: tool copy [options] <from> [to]

Copy FROM to TO, as it is: what it is, where it is from, and all that has ever
been said about it.

Arguments:
  from                  what
  to                    where

Options:
  -o, --only <list>     parts
  -w, --wait [seconds]  wait first
  --log-file <file>     where to write what was done, and what was not, and why
                        that is
  -q, --quiet           say nothing
  -n                    of one letter
  -h, --help            display help for command

Global Options:
  -V, --version         print the version
  -d, --debug           say more

More.`;

Deno.test("help and versions are wanted, or said where nothing is", async (t) => {
  const cases: [words: string[], text: string, wanted: boolean][] = [
    [["--help"], HELP, true],
    [["help"], HELP, true],
    [["nothing", "-h"], HELP, true],
    [[], HELP, false],
    [["-d"], HELP, false],
    [["copy", "--help", "--nothing"], COPY_HELP, true],
    [["-h", "copy"], COPY_HELP, true],
    [["help", "copy"], COPY_HELP, true],
    [["copy", "-V"], "1.2.3", true],
    [["--version"], "1.2.3", true],
  ];
  for (const [words, text, wanted] of cases) {
    await t.step(words.join(" ") || "none", () => assertEquals(summarize(words), { text, wanted }));
  }
});

Deno.test("a usage of its own, and a column too narrow for lines to be broken", () => {
  const { text } = readCommandLine(PROGRAM, ["run", "-h"], 20) as { text: string };
  assertEquals(text.split("\n").slice(0, 6), [
    "Usage: tool run [--] [word...]",
    "",
    "Run.",
    "",
    "Arguments:",
    "  word           words",
  ]);
});
