/** The requests in whose midst a union's server dies: each kind, on files of each branch. */
import type { FileSystem, NodeId, RequestContext } from "../../src/fs/filesystem.ts";
import { ROOT_NODE } from "../../src/fs/filesystem.ts";
import { O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, RENAME_EXCHANGE, S_IFIFO } from "../../src/fs/flags.ts";
import { nextContext } from "../support/crashed_servers.ts";

/** A union whose branches answer at once. */
export type UnionUnderTest = {
  [Method in keyof FileSystem]-?: NonNullable<FileSystem[Method]> extends (...parameters: infer Given) => infer Answer
    ? (...parameters: Given) => Exclude<Answer, Promise<unknown> | AsyncIterable<unknown>>
    : FileSystem[Method];
};

/** What a request needs from before, and what is looked at after it: nodes and handles. */
export type Held = Record<string, number>;

export interface UnionScenario {
  readonly name: string;
  /** Makes files of the branches beforehand. */
  readonly source?: (directory: string) => void;
  /** Looks up and opens, before anybody dies. */
  readonly hold?: (union: UnionUnderTest) => Held;
  /** The request. */
  readonly act: (union: UnionUnderTest, held: Held, context: RequestContext) => unknown;
  /** What is seen of it afterwards. */
  readonly look?: (union: UnionUnderTest, held: Held, result: unknown) => unknown;
}

const PLAIN = { cached: false, killPrivileges: false };
const text = new TextEncoder();

function find(union: UnionUnderTest, path: string): NodeId {
  return path.split("/").reduce((node, name) => union.lookup(node, name, nextContext())!.node, ROOT_NODE);
}

const holdNode = (path: string) => (union: UnionUnderTest): Held => ({ node: find(union, path) });

const holdFile = (path: string, flags: number) => (union: UnionUnderTest): Held => {
  const node = find(union, path);
  return { node, handle: union.open(node, flags, nextContext()).handle! };
};

/** What is open works. */
function tryOpened(union: UnionUnderTest, { node, handle }: Held): unknown {
  const read = new TextDecoder().decode(union.read(node!, handle!, 0, 100, nextContext()));
  const { size } = union.getAttributes(node!, handle, nextContext());
  union.release(node!, handle!, 0, nextContext());
  return [read, size];
}

const lookAtHandle: UnionScenario["look"] = (union, held) => tryOpened(union, held);

const lookAtCreated: UnionScenario["look"] = (union, _, result) => {
  const { entry, opened } = result as { entry: { node: number }; opened: { handle: number } };
  union.write(entry.node, opened.handle, 0, text.encode("W"), PLAIN, nextContext());
  return tryOpened(union, { node: entry.node, handle: opened.handle });
};

const rename = (from: string, to: string, flags = 0): UnionScenario["act"] => (union, _, context) => {
  const [parent, name] = placeOf(union, from);
  return union.rename(parent, name, ...placeOf(union, to), flags, context);
};

function placeOf(union: UnionUnderTest, path: string): [NodeId, string] {
  const cut = path.lastIndexOf("/");
  return [cut < 0 ? ROOT_NODE : find(union, path.slice(0, cut)), path.slice(cut + 1)];
}

const whiteout = (name: string) => (directory: string) => {
  const { success } = new Deno.Command("mknod", { args: [`${directory}/upper/${name}`, "c", "0", "0"] }).outputSync();
  if (!success) throw new Error("Cannot make a whiteout: be root");
};

export const SCENARIOS: UnionScenario[] = [
  { name: "lookup", act: (union, _, context) => union.lookup(ROOT_NODE, "file", context) },
  { name: "mkdir", act: (union, _, context) => union.makeDirectory(ROOT_NODE, "new", 0o750, context) },
  {
    name: "mkdir over a directory that was removed",
    source: whiteout("low"),
    act: (union, _, context) => union.makeDirectory(ROOT_NODE, "low", 0o750, context),
  },
  {
    name: "mknod in a directory of the lower branch",
    act: (union, _, context) => union.makeNode(find(union, "low/deep"), "new", S_IFIFO | 0o640, 0, context),
  },
  { name: "symlink", act: (union, _, context) => union.makeSymbolicLink(ROOT_NODE, "new", "target", context) },
  {
    name: "create",
    act: (union, _, context) => union.create(find(union, "low"), "new", 0o644, O_RDWR | O_CREAT, context),
    look: lookAtCreated,
  },
  {
    name: "create over what was deleted",
    source: whiteout("file"),
    act: (union, _, context) => union.create(ROOT_NODE, "file", 0o600, O_RDWR | O_CREAT, context),
    look: lookAtCreated,
  },
  {
    name: "tmpfile",
    act: (union, _, context) => union.makeTemporaryFile(find(union, "low"), 0o600, O_RDWR, context),
    look: lookAtCreated,
  },
  { name: "unlink in the upper branch", act: (union, _, context) => union.unlink(ROOT_NODE, "up", context) },
  { name: "unlink in the lower branch", act: (union, _, context) => union.unlink(ROOT_NODE, "file", context) },
  {
    name: "unlink of what is open, and on both branches",
    source: (directory) => Deno.writeTextFileSync(`${directory}/upper/other`, "over it"),
    hold: holdFile("other", O_RDWR),
    act: (union, _, context) => union.unlink(ROOT_NODE, "other", context),
    look: lookAtHandle,
  },
  { name: "rmdir in the lower branch", act: (union, _, context) => union.removeDirectory(ROOT_NODE, "empty", context) },
  {
    name: "rmdir of a directory that whiteouts have emptied",
    source: whiteout("merged/low"),
    hold: (union) => {
      union.unlink(find(union, "merged"), "up", nextContext());
      return {};
    },
    act: (union, _, context) => union.removeDirectory(ROOT_NODE, "merged", context),
  },
  { name: "rmdir of what is not empty", act: (union, _, context) => union.removeDirectory(ROOT_NODE, "low", context) },
  {
    name: "link of a file in the lower branch",
    hold: holdNode("file"),
    act: (union, { node }, context) => union.link(node!, find(union, "low"), "new", context),
  },
  {
    name: "chmod of a file with two names in the lower branch",
    hold: holdNode("file"),
    act: (union, { node }, context) => union.setAttributes(node!, { mode: 0o600 }, undefined, context),
  },
  {
    name: "an attribute of a file in the lower branch",
    hold: holdNode("low/one"),
    act: (union, { node }, context) => union.setExtendedAttribute(node!, "user.tag", text.encode("v"), 0, context),
    look: (union, { node }) => new TextDecoder().decode(union.getExtendedAttribute(node!, "user.tag", nextContext())!),
  },
  {
    name: "open for writing in the lower branch, and of what is read",
    hold: holdFile("low/one", O_RDONLY),
    act: (union, { node }, context) => union.open(node!, O_RDWR | O_TRUNC, context),
    look: (union, held, result) => {
      const { handle } = result as { handle: number };
      union.write(held.node!, handle, 0, text.encode("written"), PLAIN, nextContext());
      return [tryOpened(union, { node: held.node!, handle }), tryOpened(union, held)];
    },
  },
  {
    name: "read of what was copied since it was opened",
    hold: (union) => {
      const held = holdFile("file", O_RDONLY)(union);
      union.setAttributes(held.node!, { mode: 0o600 }, undefined, nextContext());
      return held;
    },
    act: (union, { node, handle }, context) => new TextDecoder().decode(union.read(node!, handle!, 0, 100, context)),
    look: lookAtHandle,
  },
  {
    name: "release",
    hold: holdFile("up", O_RDWR),
    act: (union, { node, handle }, context) => union.release(node!, handle!, 0, context),
  },
  { name: "rename in the upper branch", act: rename("up", "low/moved") },
  {
    name: "rename of a file in the lower branch",
    hold: holdFile("file", O_RDONLY),
    act: rename("file", "moved"),
    look: lookAtHandle,
  },
  {
    name: "rename over a file of the lower branch",
    hold: holdFile("other", O_RDONLY),
    act: rename("up", "other"),
    look: lookAtHandle,
  },
  { name: "rename over a file of the upper branch", act: rename("low/one", "up") },
  { name: "rename to a name that was deleted", source: whiteout("file"), act: rename("other", "file") },
  { name: "rename of a directory of the lower branch", act: rename("low", "moved") },
  { name: "rename of a directory of both branches", act: rename("merged", "low/moved") },
  { name: "rename of a directory over an empty one", act: rename("merged", "empty") },
  {
    name: "rename of a directory to a name that a directory has below",
    source: whiteout("low"),
    act: rename("merged", "low"),
  },
  { name: "exchange of two files", act: rename("up", "low/one", RENAME_EXCHANGE) },
  { name: "exchange of a file and a directory", act: rename("file", "merged", RENAME_EXCHANGE) },
  {
    name: "reading a large directory",
    source: (directory) => {
      for (let index = 0; index < 40; index++) Deno.writeTextFileSync(`${directory}/lower/low/file-${index}`, "");
    },
    hold: (union) => {
      const node = find(union, "low");
      const { handle } = union.openDirectory(node, 0, nextContext());
      const first = [...union.readDirectory(node, handle!, 0, nextContext())].slice(0, 10);
      union.unlink(node, first[5]!.name, nextContext());
      return { node, handle: handle!, offset: first[9]!.offset };
    },
    act: (union, { node, handle, offset }, context) =>
      [...union.readDirectory(node!, handle!, offset!, context)].length,
  },
];
