/**
 * Servers of a directory that end at random moments, under many processes: nothing fails, is lost, wrong or left behind.
 * `TRELLIS_KILLS` says how many are killed (default 15); of the other ways to end there are a tenth of that, and at least
 * three. A thousand take half an hour and more: `TRELLIS_KILLS=1000 deno test -A --filter "servers killed" tests/mount/kept_storm_test.ts`.
 */
import { assertEquals } from "../deps.ts";
import { keepSource, keptFiles, type KeptSource, testKept } from "../support/kept_source.ts";
import { waitFor } from "../support/mounted.ts";
import { killDuring, type KillOptions, percentile, serversOf, type Work } from "../support/server_killer.ts";
import { prepareWorks, type StormWorks } from "../support/storm_works.ts";
import { stubbornWork } from "../support/stubborn_client.ts";

const KILLS = Number(Deno.env.get("TRELLIS_KILLS") ?? 15);
const OTHERS = Math.max(3, Math.ceil(KILLS / 10));

/** Longer than anything takes here, in seconds. */
const HANG_TIMEOUT = 1;

async function storm(
  mounted: KeptSource,
  works: readonly Work[],
  options: Pick<KillOptions, "kills" | "way">,
): Promise<void> {
  const { path, kept } = mounted;
  const { keeper } = kept;
  const { count, pauses } = await killDuring(works, { mountpoint: path, keeper, longest: 300, ...options });
  const [median, worst] = [percentile(pauses, 50), percentile(pauses, 99)].map(Math.round);
  console.log(
    `${count} servers ${options.way}: pauses of ${median} ms in the median, ${worst} ms at the 99th percentile`,
  );
  const left = await Array.fromAsync(Deno.readDir(mounted.source), ({ name }) => name);
  assertEquals(left, []);
  await waitFor("all files to be closed", () => keptFiles(kept) === 0);
  assertEquals(serversOf(keeper).length, 1);
}

/** Two of them and more beside each other. */
function fewWorks({ model, mixed, oneFile }: StormWorks): Work[] {
  return [model, mixed, oneFile];
}

testKept("servers killed at random moments, under many processes of mixed operations", async () => {
  await using mounted = await keepSource();
  await using works = await prepareWorks(mounted.path);
  const { model, mixed, oneFile, git, database, mapping } = works;
  await storm(mounted, [model, model, mixed, oneFile, oneFile, git, database, mapping], {
    kills: KILLS,
    way: "killed",
  });
});

testKept("servers killed one after the other before they answer", async () => {
  await using mounted = await keepSource();
  await using works = await prepareWorks(mounted.path);
  await storm(mounted, fewWorks(works), { kills: OTHERS, way: "killed in the handshake" });
});

testKept("servers that hang", async () => {
  await using mounted = await keepSource({ hangTimeout: HANG_TIMEOUT });
  await using works = await prepareWorks(mounted.path);
  await storm(mounted, fewWorks(works), { kills: OTHERS, way: "stopped" });
});

testKept("servers that throw in every tenth request, and are killed", async () => {
  await using mounted = await keepSource({ module: new URL("faulty_module.ts", import.meta.url) });
  const works = Array.from({ length: 8 }, () => stubbornWork(mounted.path));
  await storm(mounted, works, { kills: OTHERS, way: "killed" });
  assertEquals(mounted.log.some((line) => line.includes("a fault by intent")), true);
});
