/** The benchmark itself: it measures, and its limit answers all that its clients ask. */
import { measure, noFigures } from "../../bench/measure.ts";
import { OPERATIONS } from "../../bench/operations.ts";
import { readOptions } from "../../bench/options.ts";
import { assert, assertEquals } from "../deps.ts";

const NOT_ROOT = Deno.uid() === 0 ? undefined : "the limit mounts by itself, which needs root";
// deno-lint-ignore no-console -- why a test is left out
if (NOT_ROOT) console.log(`the benchmark's limit is not tested: ${NOT_ROOT}`);

/** Two clients, since each works in a folder of its own. */
const ARGUMENTS = "--peers=host,limit --work=metadata,data --clients=2 --rounds=1 --milliseconds=1".split(" ");

Deno.test({
  name: "the limit and the host do every operation of the benchmark, with the kernel's caches and without",
  ignore: NOT_ROOT !== undefined,
  async fn() {
    const programs = await Deno.makeTempDir();
    try {
      const { plan } = readOptions(ARGUMENTS);
      const figures = noFigures(plan);
      await measure(plan, programs, figures, () => {});
      assertEquals([figures.missing, figures.failures], [{}, {}]);
      for (const peer of ["host", "limit"]) {
        for (const caching of ["off", "on"]) {
          const done = figures.rows.filter((row) => row.peer === peer && row.caching === caching);
          assertEquals(done.map(({ work }) => work), Object.values(OPERATIONS).flat(), `${peer}, caches ${caching}`);
          assert(done.every(({ values }) => values.length === 1 && values[0]! > 0), JSON.stringify(done));
        }
      }
    } finally {
      await Deno.remove(programs, { recursive: true });
    }
  },
});
