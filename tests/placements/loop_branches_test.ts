/** A change of branches for which somebody is late: who that is, and what becomes of it. The loops are made up. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { type BranchStep, FsError } from "../../mod.ts";
import type { Notifier } from "../../src/fs/notifier.ts";
import type { LoopCommandName } from "../../src/messages.ts";
import type { HandlersBesideLoops } from "../../src/placements/handlers_beside_loops.ts";
import { LoopBranches, type LoopBranchesOptions } from "../../src/placements/loop_branches.ts";
import { makeCounts, PREPARED, RELEASED } from "../mount/counted_module.ts";

type Loop = LoopBranchesOptions["loops"][number];

/** A loop that answers at once, but stops at a command until it is let go on; it notes what it has done. */
class MadeUpLoop {
  readonly done: LoopCommandName[] = [];
  onUnused = () => {};
  #turn: Promise<unknown> = Promise.resolve();
  #stopsAt: LoopCommandName | undefined;
  #goOn = () => {};
  /** The first command that it does not live to answer. */
  endsAt: LoopCommandName | undefined;

  stopAt(name: LoopCommandName): void {
    this.#stopsAt = name;
  }

  goOn(): void {
    this.#stopsAt = undefined;
    this.#goOn();
  }

  command = ((name: LoopCommandName) => {
    const turn = this.#turn.then(async () => {
      if (this.#stopsAt === name) await new Promise<void>((resolve) => this.#goOn = resolve);
      if (this.endsAt === name) throw new Error("The loop has ended");
      this.done.push(name);
      return name === "commitBranches" ? [{ parent: 1, name: "a" }] : [];
    });
    this.#turn = turn;
    return turn;
  }) as Loop["command"];
}

/** A handler with a branch of its own; `throws` at one command, or dies at it. */
function madeUpHandler(throws: LoopCommandName, dies: boolean): HandlersBesideLoops {
  const command = (name: LoopCommandName) => {
    if (name !== throws) return Promise.resolve({ answer: [] });
    return dies ? Promise.resolve(undefined) : Promise.reject(new TypeError("it cannot"));
  };
  return { handlers: new Map([[0, { pool: { command } }]]) } as unknown as HandlersBesideLoops;
}

function openPlace(
  invalidateEntry: () => Promise<unknown> = () => Promise.resolve("delivered"),
  beside?: HandlersBesideLoops,
) {
  const loops = [new MadeUpLoop(), new MadeUpLoop()];
  const counts = makeCounts();
  const log: string[] = [];
  const branches = new LoopBranches({
    log: (message, detail) => log.push(`${message}: ${detail}`),
    loops,
    beside,
    notifier: { invalidateEntry } as unknown as Notifier,
    points: [{ id: 0, path: "/" }, ...beside === undefined ? [] : [{ id: 1, path: "/handled", handler: 0 }]],
    releaseFirst: () => {},
    deadlines: { calling: 50, making: 100, telling: 50, completing: 150 },
  });
  const module = new URL("../mount/counted_module.ts", import.meta.url);
  const graft = (path: string): BranchStep[] => [{ action: "graft", path, branch: { module, options: { counts } } }];
  return { loops, branches, counts, log, graft, [Symbol.asyncDispose]: () => branches[Symbol.asyncDispose]() };
}

/** The words in which a change is refused that was not made in time, or that is made and not complete. */
async function lateness(change: Promise<unknown>, code = "ETIMEDOUT"): Promise<string> {
  const error = await assertRejects(() => change, FsError);
  assertEquals(error.code, code);
  return error.message;
}

const PREPARE: LoopCommandName[] = ["countBranches", "prepareBranches"];
const MADE: LoopCommandName[] = [...PREPARE, "commitBranches", "dropBranches"];

Deno.test("what a change had in its hands when the mount ended is closed, once", async (t) => {
  for (const command of ["prepareBranches", "commitBranches", "dropBranches"] as const) {
    await t.step(command, async () => {
      const place = openPlace();
      const { loops: [one, other], branches, counts, graft } = place;
      await branches.change(graft("/a"));
      for (const loop of [one!, other!]) loop.endsAt = command;
      const steps: BranchStep[] = [...graft("/b"), { action: "prune", path: "/a" }];
      await assertRejects(() => branches.change(steps), Error, "has ended");
      await branches[Symbol.asyncDispose]();
      assertEquals([counts[PREPARED], counts[RELEASED]], [2, 2]);
    });
  }
});

Deno.test("what cannot be closed after a change that was refused is said in the log", async () => {
  await using place = openPlace();
  const { loops: [one, other], branches, log } = place;
  const module = "data:text/javascript,export const release = () => { throw new Error('it is stuck'); }";
  for (const loop of [one!, other!]) loop.endsAt = "prepareBranches";
  const steps: BranchStep[] = [{ action: "graft", path: "/a", branch: { module } }];
  await assertRejects(() => branches.change(steps), Error, "has ended");
  assertEquals(log, ["A branch whose change was taken back could not be closed: Error: it is stuck"]);
});

Deno.test("what a handler throws at a change that does not concern it is said in the log, and the change is made", async (t) => {
  for (const command of ["prepareBranches", "commitBranches", "dropBranches"] as const) {
    for (const dies of [false, true]) {
      await t.step(`${command}, ${dies ? "which it does not outlive" : "which it refuses"}`, async () => {
        await using place = openPlace(undefined, madeUpHandler(command, dies));
        const { branches, loops: [one], graft, log } = place;
        await branches.change(graft("/a"));
        assertEquals(one!.done.filter((name) => name !== "numberPlaces"), MADE);
        // Its pool says that it died.
        assertEquals(
          log.map((line) => line.split("\n")[0]),
          dies ? [] : [
            `Handler 0 failed at a change of the branches (${command}): TypeError: it cannot`,
          ],
        );
      });
    }
  }
});

Deno.test("a loop that does not come round stops a change, which then has touched nobody", async () => {
  await using place = openPlace();
  const { loops: [one, other], branches, counts, graft } = place;
  other!.stopAt("countBranches");
  const said = await lateness(branches.change(graft("/a")));
  assert(
    said.includes("loop 1 of 2 has not come round from what it is at") && said.includes("nothing was changed"),
    said,
  );
  assertEquals([one!.done, counts[PREPARED]], [["countBranches"], 0]);
  other!.goOn();
  await branches.change(graft("/a"));
  assertEquals(other!.done, ["countBranches", ...MADE]);
});

Deno.test("a loop that does not get ready stops a change: the others take it back, and it does when it comes round", async () => {
  await using place = openPlace();
  const { loops: [one, other], branches, counts, graft } = place;
  other!.stopAt("prepareBranches");
  const said = await lateness(branches.change(graft("/a")));
  assert(said.includes("loop 1 of 2 has not made the branches"), said);
  assertEquals(one!.done, [...PREPARE, "abandonBranches"]);
  // It may be at work with what was opened for it.
  assertEquals([counts[PREPARED], counts[RELEASED]], [1, 0]);
  other!.goOn();
  await branches.change(graft("/a"));
  assertEquals([one!.done, other!.done], [[...PREPARE, "abandonBranches", ...MADE], [
    ...PREPARE,
    "abandonBranches",
    ...MADE,
  ]]);
  assertEquals([counts[PREPARED], counts[RELEASED]], [2, 1]);
});

Deno.test("a change that one loop has not made yet is made: the next waits for it, and is refused before it is begun", async () => {
  await using place = openPlace();
  const { loops: [one, other], branches, graft } = place;
  other!.stopAt("commitBranches");
  const said = await lateness(branches.change(graft("/a")), "EINPROGRESS");
  assert(said.includes("have changed, but loop 1 of 2 has not come round to it"), said);
  // Nothing goes before all have the change.
  assertEquals(one!.done, [...PREPARE, "commitBranches"]);
  assert(
    (await lateness(branches.change(graft("/b")))).includes("loop 1 of 2 has not made the change before this one"),
  );
  assertEquals(one!.done, [...PREPARE, "commitBranches"]);
  other!.goOn();
  const error = await assertRejects(() => branches.change([{ action: "prune", path: "/b" }]), FsError);
  assertEquals([error.code, one!.done, other!.done], ["ENOENT", MADE, MADE]);
  const { ended } = await branches.change([{ action: "prune", path: "/a" }]);
  await ended;
});

Deno.test("a change does not wait for ever for the kernel, and the next does not wait for it at all", async () => {
  const told = Promise.withResolvers<void>();
  await using place = openPlace(() => told.promise);
  const { loops: [one], branches, graft } = place;
  assert(
    (await lateness(branches.change(graft("/a")), "EINPROGRESS")).includes("the kernel, which waits for a lookup"),
  );
  assertEquals(one!.done, MADE);
  assert((await lateness(branches.change(graft("/b")), "EINPROGRESS")).includes("the kernel"));
  told.resolve();
  await branches.change([{ action: "prune", path: "/b" }, { action: "prune", path: "/a" }]);
});
