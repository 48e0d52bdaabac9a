/** Branches come and go a thousand times under load, in loops: every error is one of the contract's, and nothing is left. */
import { assert, assertEquals } from "../deps.ts";
import type { BranchModule } from "../../mod.ts";
import { startLoad } from "../support/branch_load.ts";
import { type BranchSpecification } from "../support/branch_module.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { descriptorsBelow, Held, workerThreads } from "../support/growth.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";

const MODULES = {
  tree: new URL("../support/branch_module.ts", import.meta.url),
  memory: new URL("../../src/layers/memory/module.ts", import.meta.url),
  passthrough: new URL("../../src/layers/passthrough/module.ts", import.meta.url),
};

/** How often a branch comes and goes, in loops. */
const GRAFTS = 1000;

/** And in handlers, each of which takes two threads and as long as a hundred others: `TRELLIS_HANDLER_GRAFTS=1000` for all. */
const HANDLER_GRAFTS = Number(Deno.env.get("TRELLIS_HANDLER_GRAFTS") ?? 20);

interface Case {
  readonly grafts: number;
  readonly loops: number;
  readonly root: (source: string) => BranchSpecification;
  readonly branch: (source: string) => BranchModule;
}

const CASES: Record<string, Case> = {
  "directories in two loops": {
    grafts: GRAFTS,
    loops: 2,
    root: (source) => ({ path: "/", passthrough: { source: `${source}/root` } }),
    branch: (source) => ({ module: MODULES.passthrough, options: { source: `${source}/one` } }),
  },
  "memory in one loop": {
    grafts: GRAFTS,
    loops: 1,
    root: () => ({ path: "/" }),
    branch: () => ({ module: MODULES.memory }),
  },
  "memory in handlers of its own beside two loops": {
    grafts: HANDLER_GRAFTS,
    loops: 2,
    root: (source) => ({ path: "/", passthrough: { source: `${source}/root` } }),
    branch: () => ({ module: MODULES.memory, placement: "handler" }),
  },
};

for (const [name, { grafts, loops, root, branch }] of Object.entries(CASES)) {
  Deno.test(`branches come and go ${grafts} times under load: ${name}`, async () => {
    await using source = await temporaryFolder();
    for (const directory of ["root", "root/way", "one"]) await Deno.mkdir(`${source.path}/${directory}`);
    await using mounted = await mountTemporarily({
      module: MODULES.tree,
      options: { branches: [root(source.path)], growing: true },
      loops,
      handlersLater: true,
    });
    const { path, session } = mounted;
    await Deno.mkdir(`${path}/way`).catch(() => {});
    let opened = 0;
    const comeAndGo = async (times: number) => {
      const endings: Promise<void>[] = [];
      for (let turn = 0; turn < times; turn++) {
        const at = turn % 2 ? "/one" : "/way/two";
        await session.graft(at, branch(source.path));
        await Deno.stat(path + at);
        if (turn % 10 === 0) await session.replace(at, branch(source.path));
        // Of each row one goes that has something open for sure.
        using _open = turn === 0 ? await Deno.open(path + at) : undefined;
        const removed = await session.prune(at, { lazy: turn % 3 === 0 });
        opened += removed.opened;
        endings.push(removed.ended);
      }
      await Promise.all(endings);
    };
    // What the load opens in the root comes and goes with what the kernel remembers.
    const descriptors = () => new Held().descriptors - descriptorsBelow(`${source.path}/root`);
    // From the first change on there is a notify worker.
    await comeAndGo(2);
    const before = descriptors();
    const threads = workerThreads().size;
    const load = await startLoad(path, 900 + 20 * HANDLER_GRAFTS);
    try {
      await comeAndGo(grafts / 10);
      const held = new Held();
      await comeAndGo(grafts * 9 / 10);
      held.assertSameMemory();
    } finally {
      await load.end();
    }
    await waitFor("no thread more than before", () => workerThreads().size <= threads);
    // A few are Deno's own, and of what ran before in this process; one lost in a hundred changes would be ten.
    await waitFor("no descriptor more than before", () => descriptors() < before + 10);
    assert(opened >= 3, `${opened} were open when their branch went`);
    assertEquals(descriptorsBelow(`${source.path}/one`), 0);
    const names = await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
    assertEquals(names.filter((name) => !/^(?:copy|load)-/.test(name)), ["way"]);
  });
}
