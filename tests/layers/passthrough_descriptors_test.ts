/** The passthrough layer with few descriptors: they are taken from nodes and found again, by handle and by name. */
import { ROOT_NODE } from "../../src/fs/filesystem.ts";
import { O_RDONLY, O_RDWR } from "../../src/fs/flags.ts";
import type { Source } from "../../src/layers/passthrough/source.ts";
import { assert, assertEquals } from "../deps.ts";
import { assertErrno } from "../support/assert_errno.ts";
import { openDescriptors, type PassthroughSource, passthroughSource } from "./passthrough_source.ts";

const LIMIT = 64;
const FILES = 2000;
const decoder = new TextDecoder();

const byName = { maxDescriptors: LIMIT, adapt: (source: Source) => ({ ...source, handles: undefined }) };
const byHandle = { maxDescriptors: LIMIT };
const WAYS = [{ way: "by name", setting: byName }, { way: "by handle", setting: byHandle }];

function prepareWay(way: string, setting: typeof byHandle): PassthroughSource | undefined {
  const source = passthroughSource(setting);
  if (way === "by name" || source.shared.handles !== undefined) return source;
  source[Symbol.dispose]();
  console.log("no file handles here (not root, or the temporary directory's filesystem has none): left out");
}

for (const { way, setting } of WAYS) {
  Deno.test(`two thousand files fit in 64 descriptors, found again ${way}`, () => {
    using source = prepareWay(way, setting);
    if (source === undefined) return;
    const before = openDescriptors(source.directory);
    const nodes = new Map<string, number>();
    for (let index = 0; index < FILES; index++) {
      const name = `directory-${index % 20}/file-${index}`;
      if (index < 20) Deno.mkdirSync(source.path(`directory-${index}`));
      Deno.writeTextFileSync(source.path(name), name);
      nodes.set(name, source.find(name));
    }
    assert(openDescriptors(source.directory) <= LIMIT + 8);
    for (const [name, node] of nodes) {
      assertEquals(source.filesystem.getAttributes(node, undefined).size, name.length);
      const handle = source.filesystem.open(node, O_RDONLY, source.context).handle!;
      assertEquals(decoder.decode(source.filesystem.read(node, handle, 0, 100, source.context)), name);
      source.filesystem.release(node, handle);
      assertEquals(source.find(name), node);
    }
    assert(openDescriptors(source.directory) <= LIMIT + 8);
    for (const [name, node] of nodes) {
      source.filesystem.forgetLookups(source.find(name.split("/")[0]!), 1);
      source.filesystem.forgetLookups(node, 2);
    }
    // Each path was walked twice.
    for (let index = 0; index < 20; index++) {
      const node = source.find(`directory-${index}`);
      source.filesystem.forgetLookups(node, 1 + 2 * FILES / 20);
    }
    assertEquals(source.counts(), { nodes: 0, open: 1, evicted: 0 });
    assertEquals(openDescriptors(source.directory), before);
  });

  Deno.test(`a node without a descriptor survives renames, links and removal, ${way}`, () => {
    using source = prepareWay(way, setting);
    if (source === undefined) return;
    const { filesystem, context } = source;
    Deno.mkdirSync(source.path("a"));
    Deno.mkdirSync(source.path("b"));
    for (const name of ["a/moved", "a/linked", "a/removed", "a/replaced", "a/replacing", "a/exchanged"]) {
      Deno.writeTextFileSync(source.path(name), name);
    }
    const [a, b] = [source.find("a"), source.find("b")];
    const node = (name: string) => source.find(name);
    const [moved, linked, removed] = [node("a/moved"), node("a/linked"), node("a/removed")];
    const [replaced, replacing, exchanged] = [node("a/replaced"), node("a/replacing"), node("a/exchanged")];
    filesystem.link(linked, b, "second", context);
    exhaust(source);
    assert(source.counts().evicted > 6);

    filesystem.rename(a, "moved", b, "arrived", 0, context);
    filesystem.unlink(a, "linked", context);
    filesystem.unlink(a, "removed", context);
    filesystem.rename(a, "replacing", a, "replaced", 0, context);
    filesystem.rename(a, "exchanged", b, "second", 2, context);
    exhaust(source);

    const read = (id: number) => {
      const handle = filesystem.open(id, O_RDONLY, context).handle!;
      const text = decoder.decode(filesystem.read(id, handle, 0, 100, context));
      filesystem.release(id, handle);
      return text;
    };
    assertEquals(read(moved), "a/moved");
    assertEquals(read(linked), "a/linked");
    assertEquals(read(removed), "a/removed");
    assertEquals(read(replaced), "a/replaced");
    assertEquals(read(replacing), "a/replacing");
    assertEquals(read(exchanged), "a/exchanged");
    assertEquals(filesystem.getAttributes(removed, undefined).links, 0);
    filesystem.rename(ROOT_NODE, "a", b, "a", 0, context);
    exhaust(source);
    assertEquals(read(replacing), "a/replacing");
    assertEquals(source.find("b/a/replaced"), replacing);
  });

  Deno.test(`a file that was exchanged for another behind the mount is ESTALE, never the other, ${way}`, () => {
    using source = prepareWay(way, setting);
    if (source === undefined) return;
    Deno.writeTextFileSync(source.path("file"), "mine");
    const node = source.find("file");
    exhaust(source);
    Deno.removeSync(source.path("file"));
    Deno.writeTextFileSync(source.path("file"), "somebody else's");
    assertErrno("ESTALE", () => source.filesystem.open(node, O_RDWR, source.context));
    const other = source.find("file");
    assert(other !== node);
    assertEquals(source.filesystem.getAttributes(other, undefined).size, 15);
    assertErrno("ESTALE", () => source.filesystem.getAttributes(node, undefined));
    source.filesystem.forgetLookups(node, 1);
  });
}

/** Looks at so many other files that every descriptor that can be taken is taken. */
function exhaust(source: PassthroughSource): void {
  Deno.mkdirSync(source.path("crowd"), { recursive: true });
  const crowd = source.find("crowd");
  for (let index = 0; index < 6 * LIMIT; index++) {
    Deno.writeTextFileSync(source.path(`crowd/${index}`), "");
    source.filesystem.lookup(crowd, `${index}`, source.context);
  }
}

Deno.test("files that are moved about behind the mount are found again by handle", () => {
  using source = prepareWay("by handle", byHandle);
  if (source === undefined) return;
  Deno.writeTextFileSync(source.path("file"), "mine");
  const node = source.find("file");
  exhaust(source);
  Deno.renameSync(source.path("file"), source.path("elsewhere"));
  assertEquals(source.filesystem.getAttributes(node, undefined).size, 4);
});

Deno.test("long names are remembered whole", () => {
  using source = passthroughSource(byName);
  const name = "n".repeat(255);
  Deno.writeTextFileSync(source.path(name), "text");
  const node = source.find(name);
  exhaust(source);
  assertEquals(source.filesystem.getAttributes(node, undefined).size, 4);
});

Deno.test("a table that is full refuses with ENFILE and serves on", () => {
  using source = passthroughSource({ maxNodes: 64 });
  for (let index = 0; index < 100; index++) Deno.writeTextFileSync(source.path(`${index}`), "");
  const nodes: number[] = [];
  for (let index = 0; index < 62; index++) nodes.push(source.find(`${index}`));
  assertErrno("ENFILE", () => source.find("99"));
  assertEquals(source.find("0"), nodes[0]);
  source.filesystem.forgetLookups(nodes[5]!, 1);
  source.find("99");
});
