/**
 * Servers of a directory, or of a tree, that end at random moments, under many processes: nothing fails, is lost, wrong
 * or left behind. `TRELLIS_KILLS` says how many are killed (default 15); of the other ways to end there are a tenth of
 * that, and at least three. A thousand take half an hour and more: `TRELLIS_KILLS=1000 deno test -A --filter "servers
 * killed" tests/mount/kept_storm_test.ts`.
 */
import { KeeperError } from "../../src/keeper/kept_mount.ts";
import type { KeptMount } from "../../src/mount.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { keepSource, keptFiles, testKept } from "../support/kept_source.ts";
import { graftOf, keepTree, THREE } from "../support/kept_tree.ts";
import { waitFor } from "../support/mounted.ts";
import { describePauses, killDuring, type KillOptions, type Work } from "../support/server_killer.ts";
import { prepareWorks, type StormWorks } from "../support/storm_works.ts";
import { stubbornWork } from "../support/stubborn_client.ts";

const KILLS = Number(Deno.env.get("TRELLIS_KILLS") ?? 15);
/** Where many are to be killed, as many as of a directory. */
const TREE_KILLS = KILLS > 100 ? KILLS : Math.ceil(KILLS / 2);
const OTHERS = Math.max(3, Math.ceil(KILLS / 10));

/** Longer than anything takes here, in seconds. */
const HANG_TIMEOUT = 1;

/** What is mounted, where there is work to do, and which directories of the host are to be empty afterwards. */
interface Stormed extends AsyncDisposable {
  readonly kept: KeptMount;
  readonly log: readonly string[];
  readonly places: readonly string[];
  readonly sources: readonly string[];
}

interface StormedOptions {
  readonly hangTimeout?: number;
  readonly faulty?: boolean;
}

const NAMES = ["root", "one", "two"];

/** A directory, or a tree of them. The tree has all that the directory has; where there is time, both are tried. */
const STORMED: Readonly<Record<string, (options?: StormedOptions) => Promise<Stormed>>> = {
  tree: stormedTree,
  ...Deno.env.has("TRELLIS_KILLS") && { directory: stormedSource },
};

async function stormedSource({ faulty = false, ...options }: StormedOptions = {}): Promise<Stormed> {
  const module = new URL("faulty_module.ts", import.meta.url);
  const mounted = await keepSource({ ...options, ...faulty && { module } });
  const { path, source } = mounted;
  return {
    ...{ kept: mounted.kept, log: mounted.log, places: [path, path, path], sources: [source] },
    [Symbol.asyncDispose]: () => mounted[Symbol.asyncDispose](),
  };
}

async function stormedTree({ faulty = false, ...options }: StormedOptions = {}): Promise<Stormed & { folder: string }> {
  const module = new URL("faulty_tree_module.ts", import.meta.url);
  const tree = await keepTree(THREE, NAMES, { ...options, ...faulty && { module } });
  const { path, folder } = tree;
  return {
    ...{ kept: tree.kept, log: tree.log, folder, places: [path, `${path}/one`, `${path}/one/made/two`] },
    sources: NAMES.map((name) => `${folder}/${name}`),
    [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose](),
  };
}

async function storm(
  { kept, sources }: Stormed,
  works: readonly Work[],
  options: Pick<KillOptions, "kills" | "way">,
): Promise<void> {
  const { keeper } = kept;
  const { count, pauses } = await killDuring(works, { mountpoint: kept.mountpoint, keeper, longest: 300, ...options });
  console.log(`${count} servers ${options.way}: ${describePauses(pauses)}`);
  const left = sources.map((source) => [...Deno.readDirSync(source)].map(({ name }) => name));
  assertEquals(left.flat(), []);
  await waitFor("one server, all of whose files are closed", () => keptFiles(kept) === 0);
}

/** For each place. */
async function prepareAll({ places }: Stormed): Promise<AsyncDisposable & { each: StormWorks[] }> {
  const resources = new AsyncDisposableStack();
  const each: StormWorks[] = [];
  for (const place of places) each.push(resources.use(await prepareWorks(place)));
  return { each, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Two of them and more beside each other. */
function fewWorks([one, two, three]: readonly StormWorks[]): Work[] {
  return [one!.model, two!.mixed, three!.oneFile];
}

testKept("servers killed at random moments, under many processes of mixed operations", async () => {
  await using mounted = await stormedSource();
  await using works = await prepareAll(mounted);
  const { model, mixed, oneFile, git, database, mapping } = works.each[0]!;
  await storm(mounted, [model, model, mixed, oneFile, oneFile, git, database, mapping], {
    kills: KILLS,
    way: "killed",
  });
});

for (const [kind, begin] of Object.entries(STORMED)) {
  testKept(`servers of a ${kind} killed one after the other before they answer`, async () => {
    await using mounted = await begin();
    await using works = await prepareAll(mounted);
    await storm(mounted, fewWorks(works.each), { kills: OTHERS, way: "killed in the handshake" });
  });

  testKept(`servers of a ${kind} that hang`, async () => {
    await using mounted = await begin({ hangTimeout: HANG_TIMEOUT });
    await using works = await prepareAll(mounted);
    await storm(mounted, fewWorks(works.each), { kills: OTHERS, way: "stopped" });
  });

  testKept(`servers of a ${kind} that throw in every tenth request, and are killed`, async () => {
    await using mounted = await begin({ faulty: true });
    const works = Array.from({ length: 9 }, (_, index) => stubbornWork(mounted.places[index % 3]!));
    await storm(mounted, works, { kills: OTHERS, way: "killed" });
    assertEquals(mounted.log.some((line) => line.includes("a fault by intent")), true);
  });
}

testKept("servers of a tree killed, while branches come and go", async () => {
  await using tree = await stormedTree();
  const { folder, kept } = tree;
  const path = kept.mountpoint;
  await using works = await prepareAll(tree);
  const [root, one, two] = works.each;
  await Deno.mkdir(`${folder}/later`);
  await Deno.writeTextFile(`${folder}/later/file`, "later");
  const change = async () => {
    await insist(() => kept.changeBranches([graftOf("/new/later", `${folder}/later`)]));
    assertEquals(await Deno.readTextFile(`${path}/new/later/file`), "later");
    await insist(() => kept.changeBranches([{ action: "prune", path: "/new/later" }]));
    await assertRejects(() => Deno.stat(`${path}/new`), Deno.errors.NotFound);
  };
  await storm(tree, [root!.model, one!.git, one!.mapping, two!.mixed, two!.model, change], {
    kills: TREE_KILLS,
    way: "killed",
  });
});

/** Here servers may end faster than one makes a change. */
async function insist(change: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      return void await change();
    } catch (error) {
      if (!(error instanceof KeeperError)) throw error;
    }
  }
}
