/**
 * What is left when a branch refuses in the midst of a change, or somebody changes it behind the union: nothing that was
 * deleted or replaced comes back, nothing is lost, and nothing stays behind.
 */
import type { FileSystem, RequestContext } from "../../../src/fs/filesystem.ts";
import { type ErrnoName, FsError } from "../../../src/fs/errors.ts";
import { O_RDONLY, O_RDWR } from "../../../src/fs/flags.ts";
import { assertEquals, assertRejects } from "../../deps.ts";
import { requestContext } from "../../support/request_context.ts";
import { recordingConnection } from "../branch/branch_tree.ts";
import { Paths, unionOf, type UnionUnderTest } from "./union_mount.ts";

function test(name: string, words: ("rw" | "ro")[], body: (under: UnionUnderTest) => Promise<void>): void {
  Deno.test(`union: ${name}`, async (t) => {
    await t.step("over branches that answer at once", () => body(unionOf(words, false)));
    await t.step("over branches that answer later", () => body(unionOf(words, true)));
  });
}

type Method = (...parameters: never[]) => unknown;

/** Puts a method in the place of a branch's own, which it is given, until it is disposed of. */
function replace(branch: Paths, name: keyof FileSystem, make: (own: Method) => Method): Disposable {
  const filesystem = branch.filesystem as unknown as Record<string, Method>;
  filesystem[name] = make(filesystem[name]!.bind(filesystem));
  return { [Symbol.dispose]: () => void delete filesystem[name] };
}

/** A branch's method that fails. */
function fail(branch: Paths, name: keyof FileSystem, code: ErrnoName): Disposable {
  return replace(branch, name, () => () => {
    throw new FsError(code, "made to fail");
  });
}

async function refuses(code: ErrnoName, action: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(action, FsError)).code, code);
}

/** How many files and blocks of a branch are in use. */
async function used({ filesystem, context }: Paths): Promise<(number | undefined)[]> {
  const { blocks = 0, blocksFree = 0, files = 0, filesFree = 0 } = await filesystem.getStatistics(1, context);
  return [blocks - blocksFree, files - filesFree];
}

test("a copy for which there is no room leaves nothing behind", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.write("/f", "old");
  await union.node("/f");
  const before = await used(upper!);
  {
    using _full = fail(upper!, "write", "ENOSPC");
    await refuses("ENOSPC", () => union.write("/f", "new"));
  }
  assertEquals([await upper!.list(), await used(upper!)], [[], before]);
  await union.write("/f", "new");
  assertEquals(await union.read("/f"), "new");
});

test("a directory that cannot be copied whole is not left behind", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.mkdir("/d");
  {
    using _full = fail(upper!, "setAttributes", "ENOSPC");
    await refuses("ENOSPC", () => union.write("/d/f", "new"));
  }
  assertEquals(await upper!.list(), []);
  await union.write("/d/f", "new");
  assertEquals(await union.read("/d/f"), "new");
});

test("a file is there until a rename has replaced it", ["rw", "rw"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await upper!.write("/target", "precious");
  await lower!.write("/source", "source");
  {
    using _refused = fail(lower!, "rename", "EACCES");
    await refuses("EACCES", () => union.rename("/source", "/target"));
  }
  assertEquals([await union.read("/target"), await union.read("/source")], ["precious", "source"]);
  {
    using _refused = fail(upper!, "unlink", "EACCES");
    await refuses("EACCES", () => union.rename("/source", "/target"));
  }
  assertEquals([await union.read("/target"), await union.read("/source")], ["precious", "source"]);
  await union.rename("/source", "/target");
  assertEquals([await union.list(), await union.read("/target")], [["target"], "source"]);
});

test("where there is no room for a whiteout nothing is removed or moved", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.write("/f", "old");
  await lower!.mkdir("/d");
  await union.write("/f", "new");
  await union.write("/d/x", "x");
  await union.unlink("/d/x");
  {
    using _full = fail(upper!, "makeNode", "ENOSPC");
    await refuses("ENOSPC", () => union.unlink("/f"));
    await refuses("ENOSPC", () => union.rename("/f", "/g"));
    await refuses("ENOSPC", () => union.rmdir("/d"));
  }
  assertEquals([await union.list(), await union.read("/f"), await upper!.list()], [["d", "f"], "new", ["d", "f"]]);
});

test("a removal that a branch refuses leaves no whiteout", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.write("/f", "old");
  await union.write("/f", "new");
  const isMark = (name: string) => name.startsWith(".trellis-union-");
  {
    using _refused = replace(upper!, "unlink", (own) => (...parameters) => {
      const [, name] = parameters as unknown as [number, string];
      if (!isMark(name)) throw new FsError("EACCES", "made to fail");
      return own(...parameters);
    });
    await refuses("EACCES", () => union.unlink("/f"));
  }
  assertEquals([await union.read("/f"), await upper!.list()], ["new", ["f"]]);
});

test("what was deleted stays deleted when it cannot be made anew", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.write("/f", "old");
  await lower!.mkdir("/d");
  await union.unlink("/f");
  await union.rmdir("/d");
  await union.write("/other", "other");
  await union.mkdir("/empty");
  for (
    const [method, make] of [
      ["create", () => union.write("/f", "new")],
      ["makeDirectory", () => union.mkdir("/d")],
      ["link", () => union.link("/other", "/f")],
      ["rename", () => union.rename("/empty", "/d")],
    ] as const
  ) {
    using _full = fail(upper!, method, "ENOSPC");
    await refuses("ENOSPC", make);
    assertEquals(await union.list(), ["empty", "other"], method);
  }
  await union.rename("/empty", "/d");
  assertEquals([await union.list(), await union.list("/d")], [["d", "other"], []]);
});

test("a directory that cannot be renamed over an empty one brings nothing back", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  for (const path of ["/emptied", "/empty"]) await lower!.mkdir(path);
  await lower!.write("/emptied/deleted", "old");
  await union.unlink("/emptied/deleted");
  await union.mkdir("/source");
  for (const method of ["removeDirectory", "rename"] as const) {
    using _refused = fail(upper!, method, "EACCES");
    if (method === "removeDirectory") await refuses("EACCES", () => union.rename("/source", "/emptied"));
    else await refuses("EACCES", () => union.rename("/source", "/empty"));
    assertEquals(await union.list(), ["emptied", "empty", "source"], method);
  }
  using _refused = fail(upper!, "rename", "EACCES");
  await refuses("EACCES", () => union.rename("/source", "/emptied"));
  assertEquals(await union.list(), ["empty", "source"]);
});

test("a tree that is renamed keeps no files that nobody asked for", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.mkdir("/d");
  for (const name of ["a", "b", "c"]) await lower!.write(`/d/${name}`, name);
  const forgotten = { upper: 0, lower: 0 };
  const count = (branch: keyof typeof forgotten) => (own: Method) => (...parameters: never[]) => {
    forgotten[branch]++;
    return own(...parameters);
  };
  using _upper = replace(upper!, "forget", count("upper"));
  using _lower = replace(lower!, "forget", count("lower"));
  await union.node("/d/a");
  await union.rename("/d", "/e");
  // Two of three; and what was looked at and is nothing, or is held still, does not count.
  assertEquals([forgotten.upper >= 2, forgotten.lower >= 2], [true, true], JSON.stringify(forgotten));
  assertEquals(await union.list("/e"), ["a", "b", "c"]);
});

test("a name that a file has lost on its branch is not made for its copy", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.write("/old", "x");
  await union.node("/old");
  await lower!.rename("/old", "/new");
  await union.write("/new", "y");
  assertEquals([await union.list(), await upper!.list()], [["new"], ["new"]]);
});

test("what was copied is as it was below when the copy is removed on its branch", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.mkdir("/d");
  await lower!.write("/d/f", "old");
  await lower!.write("/g", "old");
  await union.write("/d/f", "new");
  await union.write("/g", "new");
  await upper!.unlink("/d/f");
  await upper!.rmdir("/d");
  await upper!.unlink("/g");
  assertEquals([await union.read("/d/f"), await union.read("/g")], ["old", "old"]);
  await union.write("/d/f", "newer");
  await union.write("/g", "newer");
  assertEquals([await union.read("/d/f"), await union.read("/g")], ["newer", "newer"]);
  assertEquals([await lower!.read("/d/f"), await lower!.read("/g")], ["old", "old"]);
});

test(
  "a file that is open is opened anew as who serves, and parts behind the first are",
  ["rw", "ro"],
  async (under) => {
    const { union, branches: [upper, lower] } = under;
    await upper!.mkdir("/d");
    await lower!.mkdir("/d");
    await lower!.write("/d/f", "lower");
    const user = requestContext({ uid: 1000, gid: 1000 });
    const callers: string[] = [];
    const note = (branch: string, method: string) => (own: Method) => (...parameters: never[]) => {
      const context = parameters.find((one) => typeof (one as RequestContext | string) === "object") as unknown;
      callers.push(`${branch} ${method} as ${(context as RequestContext).uid}`);
      return own(...parameters);
    };
    const node = await union.node("/d/f");
    const { handle } = await union.filesystem.open(node, O_RDONLY, union.context);
    await union.write("/d/f", "copy");
    using _open = replace(upper!, "open", note("upper", "open"));
    using _upper = replace(upper!, "lookup", note("upper", "lookup"));
    using _lower = replace(lower!, "lookup", note("lower", "lookup"));
    const data = await union.filesystem.read(node, handle!, 0, 10, user);
    assertEquals(new TextDecoder().decode(data), "copy");
    await union.filesystem.lookup(await union.node("/d"), "nothing", user);
    assertEquals(callers.filter((line) => !line.endsWith("lookup as 0") || line.startsWith("lower")).slice(0, 1), [
      "upper open as 0",
    ]);
    assertEquals(callers.slice(-2), ["upper lookup as 1000", "lower lookup as 0"]);
  },
);

test(
  "an open directory is read as who serves, where the kernel has checked who opens it",
  ["rw", "ro"],
  async (under) => {
    const { union, branches: [upper] } = under;
    const user = requestContext({ uid: 1000, gid: 1000 });
    const callers: number[] = [];
    using _read = replace(upper!, "readDirectory", (own) => (...parameters) => {
      callers.push((parameters as unknown as RequestContext[])[3]!.uid);
      return own(...parameters);
    });
    const { handle } = await union.filesystem.openDirectory(1, 0, user);
    for (const features of [[], ["posix-acl"]]) {
      union.filesystem.initialize(recordingConnection(features));
      await union.filesystem.readDirectory(1, handle!, 0, user);
    }
    assertEquals([callers[0], callers.at(-1)], [1000, 0]);
  },
);

test("a copy has its owner before its attributes, and no ACL that it inherits", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.write("/f", "old");
  await lower!.setAttribute("/f", "user.tag", "kept");
  const calls: string[] = [];
  const inherited = new Uint8Array([1]);
  using _get = replace(
    upper!,
    "getExtendedAttribute",
    (own) => (...parameters) =>
      (parameters as unknown[])[1] === "system.posix_acl_access" ? inherited : own(...parameters),
  );
  using _remove = replace(
    upper!,
    "removeExtendedAttribute",
    () => (...parameters) => void calls.push(`remove ${(parameters as unknown[])[1]}`),
  );
  using _set = replace(upper!, "setExtendedAttribute", (own) => (...parameters) => {
    calls.push(`set ${(parameters as unknown[])[1]}`);
    return own(...parameters);
  });
  using _change = replace(upper!, "setAttributes", (own) => (...parameters) => {
    const changes = (parameters as unknown[])[1] as Record<string, unknown>;
    if ("uid" in changes || "mode" in changes) calls.push(Object.keys(changes)[0]!);
    return own(...parameters);
  });
  await union.filesystem.open(await union.node("/f"), O_RDWR, union.context);
  assertEquals(calls, ["uid", "remove system.posix_acl_access", "set user.tag", "mode"]);
});

Deno.test("union: changes at the same time, over branches that answer later", async (t) => {
  const open = (union: Paths, node: number) => Promise.resolve(union.filesystem.open(node, O_RDWR, union.context));

  await t.step("two copies into a directory that has to be made", async () => {
    const { union, branches: [, lower] } = unionOf(["rw", "ro"], true);
    await lower!.mkdir("/d");
    for (const name of ["a", "b"]) await lower!.write(`/d/${name}`, name);
    const nodes = [await union.node("/d/a"), await union.node("/d/b")];
    await Promise.all(nodes.map((node) => open(union, node)));
    assertEquals(await union.list("/d"), ["a", "b"]);
  });

  await t.step("a file is removed or renamed while it is copied", async () => {
    for (const remove of [true, false]) {
      const { union, branches: [upper, lower] } = unionOf(["rw", "ro"], true);
      await lower!.write("/a", "a");
      const node = await union.node("/a");
      const change = () => remove ? union.unlink("/a") : union.rename("/a", "/b");
      await Promise.all([open(union, node), change()]);
      const left = remove ? [] : ["b"];
      assertEquals([await union.list(), (await upper!.list()).filter((name) => name !== "a")], [left, left]);
    }
  });
});
