/** Which loop serves which cores, without a kernel. */
import { assert, assertEquals } from "../deps.ts";
import { parseCores } from "../../src/transport/cores.ts";
import { shareOf } from "../../src/transport/uring_share.ts";

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

Deno.test("lists of cores are read as the kernel writes them", () => {
  assertEquals(parseCores("0\n"), [0]);
  assertEquals(parseCores("0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
  assertEquals(parseCores("\n"), []);
});

Deno.test("every possible core has a queue with an entry, whatever loops and cores there are", async (t) => {
  for (const loops of [1, 2, 3, 5, 16]) {
    for (const possible of [1, 2, 4, 7, 128]) {
      for (const allowed of [1, 2, 4, 128].filter((count) => count <= possible)) {
        await t.step(`${loops} loops, ${allowed} of ${possible} cores`, () => {
          const machine = { loops, possible: range(possible), allowed: range(allowed), payloadSize: 1 << 20 };
          const shares = range(loops).map((loop) => shareOf(loop, machine));
          const served = new Set(shares.flatMap(({ queues }) => [...queues.keys()]));
          assertEquals([...served].toSorted((one, other) => one - other), machine.possible);
          assert(shares.every(({ queues }) => queues.values().every((depth) => depth >= 1 && depth <= 8)));
          for (const { cores, queues } of shares) {
            assert(cores.length > 0 && cores.every((core) => core < allowed && queues.has(core)));
          }
        });
      }
    }
  }
});

Deno.test("a loop runs on the cores that it serves; loops beyond the cores share one", () => {
  const machine = { loops: 2, possible: range(4), allowed: [1, 2, 3], payloadSize: 1 << 20 };
  assertEquals(shareOf(0, machine), { cores: [1, 3], queues: new Map([[1, 8], [3, 8], [0, 1]]) });
  assertEquals(shareOf(1, machine), { cores: [2], queues: new Map([[2, 8]]) });
  const crowded = { ...machine, loops: 5 };
  assertEquals(range(5).map((loop) => shareOf(loop, crowded).cores), [[1], [2], [3], [1], [2]]);
});

Deno.test("the more cores, the fewer entries: their bodies never take more than 256 MiB for cores that are in use", () => {
  const cores = range(128);
  const { queues } = shareOf(0, { loops: 16, possible: cores, allowed: cores, payloadSize: 1 << 20 });
  assertEquals([...new Set(queues.values())], [2]);
});
