/**
 * Unions shown by servers that are killed: what is open and known outlives them, and no change is half done. `TRELLIS_KILLS`
 * says how many are killed at random moments (default 12).
 */
import { assert, assertEquals } from "../deps.ts";
import { checkModel } from "../model/mod.ts";
import { compile, run } from "../support/command.ts";
import { testKept as test } from "../support/kept_source.ts";
import { keepTree } from "../support/kept_tree.ts";
import { waitFor } from "../support/mounted.ts";
import { readStart } from "../support/open_file.ts";
import { killDuring, replaceServer } from "../support/server_killer.ts";
import { PIECE, PIECE_MILLISECONDS } from "./slow_disk_module.ts";

const UNION = '[[branch]]\npath = "/"\ntype = "union"\nsources = ["upper", "lower:ro"]\n';
const text = new TextEncoder();

test("a union's files outlive the server: copied, deleted, half listed, and removed", async () => {
  await using tree = await keepTree(UNION, ["upper", "lower"]);
  const { path, folder } = tree;
  const names = Array.from({ length: 300 }, (_, index) => `file-${index}-${"x".repeat(100)}`);
  await Deno.mkdir(`${folder}/lower/directory`);
  for (const name of [...names, "copied", "deleted"]) {
    await Deno.writeTextFile(`${folder}/lower/directory/${name}`, name);
  }
  const directory = `${path}/directory`;
  using reader = await Deno.open(`${directory}/copied`);
  const { ino } = await Deno.stat(`${directory}/copied`);
  using writer = await Deno.open(`${directory}/copied`, { write: true });
  await writer.write(text.encode("COPIED"));
  using deleted = await Deno.open(`${directory}/deleted`);
  await Deno.remove(`${directory}/deleted`);
  const found: string[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    found.push(name);
    if (found.length === 5) await replaceServer(tree);
  }
  assertEquals(found.sort(), [...names, "copied"].sort());
  for (let time = 0; time < 2; time++) {
    assertEquals(await readStart(reader), "COPIED");
    assertEquals(await readStart(deleted), "deleted");
    assertEquals((await Deno.stat(`${directory}/copied`)).ino, ino);
    assertEquals((await writer.stat()).ino, ino);
    await replaceServer(tree);
  }
  await Deno.rename(directory, `${path}/renamed`);
  await writer.write(text.encode("!"));
  await replaceServer(tree);
  assertEquals(await Deno.readTextFile(`${path}/renamed/copied`), "COPIED!");
  assertEquals(await Array.fromAsync(Deno.readDir(path), ({ name }) => name), ["renamed"]);
  await Deno.remove(`${path}/renamed`, { recursive: true });
  await replaceServer(tree);
  assertEquals(await Array.fromAsync(Deno.readDir(path), ({ name }) => name), []);
  assertEquals(tree.log.filter((line) => line.includes("failed")), []);
});

test("a copy may take longer than a server may hang, and one that gets no further is a hang", async () => {
  const [module, hangTimeout] = [new URL("slow_disk_module.ts", import.meta.url), 2];
  await using tree = await keepTree(UNION, ["upper", "lower"], { module, hangTimeout });
  const { path, folder, log } = tree;
  const hangs = () => log.filter((line) => line.includes("hangs, and is ended"));
  const pieces = 2 * Math.ceil(hangTimeout * 1000 / PIECE_MILLISECONDS);
  const below = "a".repeat(pieces * PIECE);
  const stuck = "b".repeat(PIECE) + "!" + "c".repeat(PIECE);
  await Deno.writeTextFile(`${folder}/lower/large`, below);
  await Deno.writeTextFile(`${folder}/lower/stuck`, stuck);
  const isWhole = (name: string, size: number) =>
    Deno.stat(`${folder}/upper/${name}`).then((file) => file.size === size, () => false);

  const written = Deno.writeTextFile(`${path}/large`, "A", { append: true }).catch(String);
  await waitFor("the slow copy", () => {
    // A busy machine may hold one server up for so long, but not one after the other.
    assert(hangs().length < 4, log.join("\n"));
    return isWhole("large", below.length + 1);
  });
  assertEquals(await written, undefined);

  const before = hangs().length;
  const other = Deno.writeTextFile(`${path}/stuck`, "B", { append: true }).catch(String);
  // The next server goes on with the copy before it serves, and is stuck too.
  await waitFor("two servers that hang", () => hangs().length >= before + 2);
  const moving = stuck.replace("!", "?");
  await Deno.writeTextFile(`${folder}/lower/stuck`, moving);
  await waitFor("the copy that was stuck", () => isWhole("stuck", moving.length + 1));
  assertEquals(await other, undefined);
  assertEquals(await Deno.readTextFile(`${folder}/upper/stuck`), `${moving}B`);
});

test("servers of a union are killed at random moments, and nothing is lost or wrong", async () => {
  const kills = Number(Deno.env.get("TRELLIS_KILLS") ?? 12);
  await using tree = await keepTree(UNION, ["upper", "lower"]);
  const { path, folder, kept: { keeper } } = tree;
  await using mixed = await compile([new URL("../torture/mixed.c", import.meta.url)]);
  await using fsx = await compile([new URL("../torture/fsx.c", import.meta.url)]);
  const seed = (): string => String(crypto.getRandomValues(new Uint32Array(1))[0]);
  const reference = await Deno.makeTempDir();
  const works = [
    () => checkModel(path, reference, { runs: 2, commandsPerRun: 100 }),
    async () => {
      const place = await Deno.makeTempDir({ dir: path });
      await run([mixed.path, place, "4", "100", seed()], { deadline: 1200 });
      await Deno.remove(place);
    },
    async () => {
      const random = seed();
      await run([fsx.path, `${path}/fsx-${random}`, "500", random], { deadline: 1200 });
    },
    () => copyAndRemove(path, `${folder}/lower`),
  ];
  await killDuring(works, { mountpoint: path, keeper, kills, longest: 300 });
  assertEquals(await Array.fromAsync(Deno.readDir(path), ({ name }) => name), []);
  await Deno.remove(reference);
});

/** Changes, renames and removes what the branch below has. */
async function copyAndRemove(path: string, lower: string): Promise<void> {
  const place = await Deno.makeTempDir({ dir: lower, prefix: "below-" });
  const name = place.slice(lower.length + 1);
  for (const file of ["a", "b", "c"]) await Deno.writeTextFile(`${place}/${file}`, file);
  const at = `${path}/${name}`;
  await Deno.writeTextFile(`${at}/a`, "A", { append: true });
  await Deno.rename(`${at}/b`, `${at}/moved`);
  await Deno.link(`${at}/c`, `${at}/linked`);
  await Deno.remove(`${at}/c`);
  const contents = await Promise.all(["a", "moved", "linked"].map((file) => Deno.readTextFile(`${at}/${file}`)));
  assertEquals(contents, ["aA", "b", "c"]);
  await Deno.rename(at, `${path}/${name}-renamed`);
  assertEquals((await Array.fromAsync(Deno.readDir(`${path}/${name}-renamed`))).length, 3);
  await Deno.remove(`${path}/${name}-renamed`, { recursive: true });
}
