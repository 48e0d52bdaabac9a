/**
 * Servers of a directory, or of a tree, that end at random moments, under many processes: nothing fails, is lost, wrong
 * or left behind. `TRELLIS_KILLS` says how many are killed (default 15); of the other ways to end there are a tenth of
 * that, and at least three. A thousand take half an hour and more: `TRELLIS_KILLS=1000 deno test -A --filter "servers
 * killed" tests/mount/kept_storm_test.ts`.
 */
import { KeeperError } from "../../src/keeper/kept_mount.ts";
import type { KeptMount } from "../../src/mount.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { keepSource, keptFiles, type KeptSource, testKept } from "../support/kept_source.ts";
import { graftOf, keepTree, THREE } from "../support/kept_tree.ts";
import { waitFor } from "../support/mounted.ts";
import { killDuring, type KillOptions, percentile, type Work } from "../support/server_killer.ts";
import { prepareWorks, type StormWorks } from "../support/storm_works.ts";
import { stubbornWork } from "../support/stubborn_client.ts";

const KILLS = Number(Deno.env.get("TRELLIS_KILLS") ?? 15);
const OTHERS = Math.max(3, Math.ceil(KILLS / 10));

/** Longer than anything takes here, in seconds. */
const HANG_TIMEOUT = 1;

/** What is mounted, and of which directories, which are to be empty afterwards. */
interface Stormed {
  readonly path: string;
  readonly kept: KeptMount;
  readonly sources: readonly string[];
}

async function storm(
  { path, kept, sources }: Stormed,
  works: readonly Work[],
  options: Pick<KillOptions, "kills" | "way">,
): Promise<void> {
  const { keeper } = kept;
  const { count, pauses } = await killDuring(works, { mountpoint: path, keeper, longest: 300, ...options });
  const [median, worst] = [percentile(pauses, 50), percentile(pauses, 99)].map(Math.round);
  console.log(
    `${count} servers ${options.way}: pauses of ${median} ms in the median, ${worst} ms at the 99th percentile`,
  );
  const left = sources.map((source) => [...Deno.readDirSync(source)].map(({ name }) => name));
  assertEquals(left.flat(), []);
  await waitFor("one server, all of whose files are closed", () => keptFiles(kept) === 0);
}

function of({ path, kept, source }: KeptSource): Stormed {
  return { path, kept, sources: [source] };
}

/** Two of them and more beside each other. */
function fewWorks({ model, mixed, oneFile }: StormWorks): Work[] {
  return [model, mixed, oneFile];
}

testKept("servers killed at random moments, under many processes of mixed operations", async () => {
  await using mounted = await keepSource();
  await using works = await prepareWorks(mounted.path);
  const { model, mixed, oneFile, git, database, mapping } = works;
  await storm(of(mounted), [model, model, mixed, oneFile, oneFile, git, database, mapping], {
    kills: KILLS,
    way: "killed",
  });
});

testKept("servers killed one after the other before they answer", async () => {
  await using mounted = await keepSource();
  await using works = await prepareWorks(mounted.path);
  await storm(of(mounted), fewWorks(works), { kills: OTHERS, way: "killed in the handshake" });
});

testKept("servers that hang", async () => {
  await using mounted = await keepSource({ hangTimeout: HANG_TIMEOUT });
  await using works = await prepareWorks(mounted.path);
  await storm(of(mounted), fewWorks(works), { kills: OTHERS, way: "stopped" });
});

testKept("servers that throw in every tenth request, and are killed", async () => {
  await using mounted = await keepSource({ module: new URL("faulty_module.ts", import.meta.url) });
  const works = Array.from({ length: 8 }, () => stubbornWork(mounted.path));
  await storm(of(mounted), works, { kills: OTHERS, way: "killed" });
  assertEquals(mounted.log.some((line) => line.includes("a fault by intent")), true);
});

testKept("servers of a tree killed, while branches come and go", async () => {
  const names = ["root", "one", "two"];
  await using tree = await keepTree(THREE, names);
  const { path, folder, kept } = tree;
  await using root = await prepareWorks(path);
  await using one = await prepareWorks(`${path}/one`);
  await using two = await prepareWorks(`${path}/one/made/two`);
  await Deno.mkdir(`${folder}/later`);
  await Deno.writeTextFile(`${folder}/later/file`, "later");
  const change = async () => {
    await insist(() => kept.changeBranches([graftOf("/new/later", `${folder}/later`)]));
    assertEquals(await Deno.readTextFile(`${path}/new/later/file`), "later");
    await insist(() => kept.changeBranches([{ action: "prune", path: "/new/later" }]));
    await assertRejects(() => Deno.stat(`${path}/new`), Deno.errors.NotFound);
  };
  const sources = names.map((name) => `${folder}/${name}`);
  await storm({ path, kept, sources }, [root.model, one.git, one.mapping, two.mixed, two.model, change], {
    kills: Math.ceil(KILLS / 2),
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
