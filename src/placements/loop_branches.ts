/**
 * Changes the branches of a tree that loops serve, with handlers beside them or without: all make a change, or none does.
 * Each step is a command to all at the same time, so that a change takes as long as in one; see `src/fs/branches.ts` for
 * the steps. A branch of a handler's own is first made in that handler, which says what it can do; the loops stand in for
 * it, and hand on.
 *
 * Handlers come after the loops: a loop that has the change no longer hands on what a handler with the change would refuse
 * (`src/layers/branch/elsewhere.ts`). A handler that died has no say. The one that takes its place waits until the change
 * is made or not, is told of all that the tree has become, and then serves.
 *
 * A handler is not waited for when nothing changes at or below its branches: no request that it is handed has to do with
 * the change. It makes that when it comes round, before all later ones, since commands keep their order.
 *
 * Nobody is waited for without an end. Until all are ready somebody who is late stops the change, and takes it back when he
 * comes round, since commands keep their order. From the first commit on the change is made: who is late makes it when he
 * comes round, and until then both trees are understood by all; only the next change has to wait for that.
 */
import {
  type BranchPoint,
  type BranchStep,
  type ChangedBranches,
  type ChangedName,
  type HeldBranch,
  isWithin,
  type LiveBranches,
  NOT_ADDED,
  type PlaceNumbers,
  type RemovalOptions,
  type TreeHistory,
} from "../fs/branches.ts";
import type { Awaitable } from "../fs/filesystem.ts";
import type { Notifier } from "../fs/notifier.ts";
import type { OpenedKeptState } from "../kept/kept_state.ts";
import type { CatchUp } from "../handler/pool.ts";
import type { LoopCommandName, LoopCommands, LoopDroppedBranch, LoopNewBranch, MadeInHandler } from "../messages.ts";
import type { LoopWorker } from "../session/loop_worker.ts";
import { atMost, inTime } from "../threads/in_time.ts";
import { BranchLedger, type BranchRecord } from "./branch_ledger.ts";
import { BranchMaker } from "./branch_maker.ts";
import { catchUpWith } from "./catch_up.ts";
import type { HandlersBesideLoops } from "./handlers_beside_loops.ts";
import type { MadeBranch } from "./later_branch.ts";
import type { Logger } from "./placement.ts";
import { refusalOf, TreeServers } from "./tree_servers.ts";

/** How long everything may take. In milliseconds. */
export interface ChangeDeadlines {
  /** For all to come round to a change, which is at once unless a thread is busy. */
  readonly calling: number;
  /** For the branches to be made, for which modules are loaded. */
  readonly making: number;
  /** For the kernel to forget names, until what had them goes; it waits for whoever looks them up. */
  readonly telling: number;
  /** For a change that is made to be complete. */
  readonly completing: number;
}

const DEADLINES: ChangeDeadlines = { calling: 5_000, making: 30_000, telling: 1_000, completing: 10_000 };

export interface LoopBranchesOptions {
  readonly loops: readonly Pick<LoopWorker, "command" | "onUnused">[];
  /** Those beside the loops; undefined where there cannot be any. */
  readonly beside: HandlersBesideLoops | undefined;
  readonly notifier: Notifier;
  /** Told what nobody waits for. */
  readonly log: Logger;
  /** What the tree has at first. */
  readonly points: readonly BranchPoint[];
  /** Closes what the branch had that was at `path` at first. */
  readonly releaseFirst: (path: string) => Awaitable<void>;
  readonly deadlines?: ChangeDeadlines;
  /** Where a keeper holds the mount: what outlives this server. */
  readonly kept?: OpenedKeptState | undefined;
  /** The branches that `kept.tree` adds, made. */
  readonly later?: readonly MadeBranch[];
}

/** What is to be changed. */
interface Change {
  readonly removed: readonly BranchRecord[];
  readonly added: readonly MadeBranch[];
  readonly lazy: boolean;
  /** The handlers that make the change too, of what they serve something stays: those that it concerns, and the others. */
  readonly concerned: readonly number[];
  readonly unconcerned: readonly number[];
  /** Those that end with it, and are not asked: they may be what is to be got rid of. */
  readonly ending: readonly number[];
}

export class LoopBranches implements LiveBranches, AsyncDisposable {
  readonly #options: LoopBranchesOptions;
  readonly #ledger: BranchLedger;
  readonly #deadlines: ChangeDeadlines;
  readonly #servers: TreeServers;
  readonly #maker: BranchMaker;
  /** Which numbers paths have since the last change, where there are handlers or a keeper. */
  #numbers: PlaceNumbers | undefined;
  /** The change that is made now; the next waits for it. */
  #turn: Promise<unknown> = Promise.resolve();
  /** What is made and not complete, as somebody was late. Never rejects. */
  #unfinished: Promise<unknown> = Promise.resolve();
  /** What is taken back, and closed when all have come round to it. None rejects. */
  readonly #undoing = new Set<Promise<unknown>>();
  /**
   * What makes the trees differ from each other: a change until it is committed, or the catching up of a handler. The
   * latter must not wait for the whole change, which waits for the kernel, which may wait for that handler to answer.
   */
  #agreement: Promise<unknown> = Promise.resolve();

  constructor(options: LoopBranchesOptions) {
    this.#options = options;
    const { loops, beside, deadlines = DEADLINES, kept } = options;
    this.#deadlines = deadlines;
    this.#ledger = new BranchLedger(options);
    this.#numbers = kept?.tree && new Map(kept.tree.numbers);
    this.#servers = new TreeServers(loops, beside?.handlers ?? new Map(), options.log);
    this.#maker = new BranchMaker({ loops: loops.length, beside, kept }, this.#ledger);
    for (const loop of loops) loop.onUnused = (id) => this.#endLater(id);
    for (const handler of beside?.handlers.keys() ?? []) this.#listen(handler);
  }

  /** Before anybody serves: handlers of a server that is not the first have the tree as it has become, which loops have. */
  async begin(): Promise<void> {
    const numbers = this.#numbers;
    if (numbers === undefined) return;
    await Promise.all([...this.#options.beside?.handlers ?? []].map(async ([handler, { pool }]) => {
      await catchUpWith({ handler, ledger: this.#ledger, numbers, restarts: 0 }, async (name, given) => {
        const done = await pool.command(name, given);
        if (done === undefined) throw new Error(`Handler ${handler} died while it made its tree`);
        return done.answer;
      });
    }));
  }

  change(steps: readonly BranchStep[], { lazy = false }: RemovalOptions = {}): Promise<ChangedBranches> {
    return this.#wait(() => this.#change(steps, lazy));
  }

  get history(): TreeHistory | undefined {
    return this.#options.kept && this.#numbers && this.#ledger.history(this.#numbers);
  }

  /** At the end of the mount: closes what is left of branches that came later. What was there at first has its own end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#undoing);
    const records = this.#ledger.takeAll();
    await Promise.all(records.map(({ release }) => release(false)));
    // What a change had in its hands that the end of the mount cut short.
    await this.#maker.close();
    for (const { leaving } of records) leaving?.resolve();
  }

  #listen(handler: number): void {
    const { pool } = this.#options.beside!.handlers.get(handler)!;
    pool.onReplaced = (catchUp) => this.#agree(() => this.#catchUp(handler, catchUp));
    pool.onUnused = (id) => this.#endLater(id);
    pool.onExhausted = () => this.#endLeaving(handler);
  }

  #wait<Result>(action: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(action);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** As {@linkcode #wait}, for what the trees agree on. */
  #agree<Result>(action: () => Promise<Result>): Promise<Result> {
    const agreement = this.#agreement.then(action);
    this.#agreement = agreement.catch(() => {});
    return agreement;
  }

  async #change(steps: readonly BranchStep[], lazy: boolean): Promise<ChangedBranches> {
    await this.#servers.all([this.#unfinished], this.#deadlines.calling, "made the change before this one");
    const removed = steps.filter(({ action }) => action !== "graft").map(({ path }) => this.#ledger.at(path));
    const remaining = handlersOf(this.#ledger.live.filter((record) => !removed.includes(record)));
    const serving = handlersOf(removed);
    const staying = [...new Set([...remaining, ...lazy ? serving : []])];
    const ending = serving.filter((handler) => !this.#ledger.inHandler(handler).some((one) => !removed.includes(one)));
    const concerned = staying.filter((handler) => this.#concerns(steps, handler));
    const unconcerned = staying.filter((handler) => !concerned.includes(handler));
    const held = await this.#callAll(concerned);
    const added = await this.#maker.make(steps, this.#ledger.freeIds(held));
    const change: Change = { removed, added, lazy, concerned, unconcerned, ending: lazy ? [] : ending };
    const prepared = Promise.withResolvers<void>();
    const committed = this.#agree(async () => {
      await this.#prepare(change);
      prepared.resolve();
      return await this.#commit(change);
    });
    await Promise.race([prepared.promise, committed]);
    return await this.#complete(change, committed);
  }

  /** Whether `steps` change something at or below what a handler serves. */
  #concerns(steps: readonly BranchStep[], handler: number): boolean {
    const own = this.#ledger.inHandler(handler);
    return steps.some(({ path }) => own.some((branch) => isWithin(path, branch.path)));
  }

  /** Has all handlers that make a change do something, and returns what those answer that it concerns. */
  #askHandlers<Name extends LoopCommandName>(
    { concerned, unconcerned }: Pick<Change, "concerned" | "unconcerned">,
    name: Name,
    given: LoopCommands[Name]["given"],
  ): Promise<unknown>[] {
    for (const handler of unconcerned) this.#servers.tellHandler(handler, name, given);
    return concerned.map((handler) => this.#servers.askHandler(handler, name, given));
  }

  /** Sees that nobody is busy who is to make a change, and returns what the loops count. */
  async #callAll(handlers: readonly number[]): Promise<HeldBranch[]> {
    const loops = this.#servers.askLoops("countBranches", undefined);
    const others = handlers.map((handler) => this.#servers.askHandler(handler, "countBranches", undefined));
    await this.#servers.all<unknown>([...loops, ...others], this.#deadlines.calling, "come round from what it is at");
    return (await Promise.all(loops)).flat();
  }

  /** All are ready to make the change, or none keeps anything of it. */
  async #prepare(change: Change): Promise<void> {
    const { removed: records, added } = change;
    const removed = records.map(({ path }) => path);
    const asked: Promise<unknown>[] = [];
    try {
      const made = await this.#prepareNewcomers(removed, added);
      const loops = this.#servers.askLoops("prepareBranches", {
        removed,
        added: added.map((branch) => this.#forLoops(branch, made)),
      });
      const points = added.map((branch) => forHandler(branch));
      const handlers = this.#askHandlers(change, "prepareBranches", { removed, added: points });
      asked.push(...loops, ...handlers);
      const what = "made the branches";
      const refused = refusalOf(await this.#servers.settle(loops, this.#deadlines.making, what), "loop") ??
        refusalOf(await this.#servers.settle(handlers, this.#deadlines.calling, what), "handler");
      if (refused !== undefined) throw refused;
    } catch (error) {
      await this.#takeBack(change, asked);
      throw error;
    }
  }

  /** Handlers that come with their branches get the tree as it is, serve, and make what they are for. */
  async #prepareNewcomers(removed: readonly string[], added: readonly MadeBranch[]): Promise<MadeInHandler[]> {
    const newcomers = handlersOf(added);
    if (newcomers.length === 0) return [];
    const numbers = await this.#options.loops[0]!.command("numberPlaces", undefined);
    const made = newcomers.map(async (handler) => {
      const command: CatchUp["command"] = async (name, given) => {
        const done = await this.#servers.askHandler(handler, name, given);
        if (done === undefined) throw new Error("Cannot graft in a handler: its worker died while it made the branch");
        return done.answer;
      };
      this.#listen(handler);
      await catchUpWith({ handler, ledger: this.#ledger, numbers, restarts: 0 }, command);
      this.#options.beside!.serve(handler);
      return await command("prepareBranches", { removed, added: added.map((branch) => forHandler(branch, handler)) });
    });
    return (await this.#servers.all(made, this.#deadlines.making, "made its branch")).flat();
  }

  /** What loops are told of a branch. */
  #forLoops({ release: _, ...branch }: MadeBranch, made: readonly MadeInHandler[]): LoopNewBranch {
    const { handler } = branch;
    if (handler === undefined) return branch;
    const { sender } = this.#options.beside!.handlers.get(handler)!;
    return {
      ...branch,
      module: "",
      options: undefined,
      shared: undefined,
      sender,
      made: made.find(({ id }) => id === branch.id)!,
    };
  }

  /** Who was `asked` to be ready for a change takes it back. What came with it is closed when all have done so. */
  async #takeBack(change: Change, asked: readonly Promise<unknown>[]): Promise<void> {
    const taken = asked.length === 0 ? [] : [
      ...this.#servers.askLoops("abandonBranches", undefined),
      ...this.#askHandlers(change, "abandonBranches", undefined),
    ];
    const undone = Promise.allSettled([...asked, ...taken]).then(() => this.#maker.unmake(change.added)).catch(
      (error) => {
        this.#options.log("A branch whose change was taken back could not be closed", String(error));
      },
    );
    this.#undoing.add(undone);
    void undone.then(() => this.#undoing.delete(undone));
    await atMost(undone, this.#deadlines.calling);
  }

  /** Fails only when a loop has ended, and with it the mount. */
  async #commit({ removed, added, concerned, unconcerned, lazy }: Change): Promise<readonly ChangedName[]> {
    const [names = []] = await Promise.all(this.#servers.askLoops("commitBranches", undefined));
    const all = { concerned: [...concerned, ...handlersOf(added)], unconcerned };
    await Promise.all(this.#askHandlers(all, "commitBranches", undefined));
    if (all.concerned.length + unconcerned.length > 0 || this.#options.kept !== undefined) {
      this.#numbers = await this.#options.loops[0]!.command("numberPlaces", undefined);
    }
    for (const record of removed) {
      if (lazy) record.leaving = Promise.withResolvers();
      else this.#ledger.drop(record);
    }
    for (const branch of added) this.#ledger.add(branch);
    return names;
  }

  /** From here on the tree changes, whatever else goes wrong. */
  async #complete(change: Change, committed: Promise<readonly ChangedName[]>): Promise<ChangedBranches> {
    const { telling, completing } = this.#deadlines;
    let told: Promise<void> = Promise.resolve();
    const finish = async () => {
      told = this.#tell(await committed);
      await atMost(told, telling);
      return await this.#drop(change);
    };
    const finished = finish();
    this.#goesOn(finished);
    const late = (who: string) =>
      `The branches have changed, but ${who} has not come round to it for ${completing / 1000} s; it goes on by itself`;
    const result = await inTime(finished, completing, () => late(this.#servers.late), "EINPROGRESS");
    const kernel = "the kernel, which waits for a lookup that is not answered,";
    await inTime(told, completing, () => late(kernel), "EINPROGRESS");
    return result;
  }

  /** The next change waits for `finished`. */
  #goesOn(finished: Promise<unknown>): void {
    // Without the outcomes: each would hold those before it.
    this.#unfinished = Promise.allSettled([this.#unfinished, finished]).then(() => {});
  }

  #tell(names: readonly ChangedName[]): Promise<void> {
    const { notifier } = this.#options;
    const told = Promise.all(names.map(({ parent, name }) => notifier.invalidateEntry(parent, name))).then(() => {});
    told.catch(() => {});
    return told;
  }

  /** What was removed goes, lazily or at once. */
  async #drop({ removed, lazy, concerned, unconcerned, ending, added }: Change): Promise<ChangedBranches> {
    const openedBeside = await this.#countOpened(removed);
    const dropped = removed.map(({ id, handler }): LoopDroppedBranch => ({
      id,
      ...handler !== undefined && ending.includes(handler) && { handler },
      ...lazy && { openFiles: this.#makeCount(id, handler) },
    }));
    const held = (await Promise.all(this.#servers.askLoops("dropBranches", dropped))).flat();
    const own = (handler: number) =>
      dropped.map(({ id, openFiles }, at) => removed[at]!.handler === handler ? { id, openFiles } : { id });
    for (const handler of [...ending, ...unconcerned]) this.#servers.tellHandler(handler, "dropBranches", own(handler));
    await Promise.all([...concerned, ...handlersOf(added)].map(async (handler) => {
      const answer = await this.#servers.askHandler(handler, "dropBranches", own(handler));
      // Whatever was open in one that died is not any more.
      if (answer === undefined) this.#endLeaving(handler);
    }));
    const opened = held.filter(({ id }) => removed.some((record) => record.id === id))
      .reduce((sum, { opened }) => sum + opened, openedBeside);
    const ended = Promise.all([
      ...removed.map((record) => this.#endOf(record)),
      ...ending.map((handler) => this.#retire(handler)),
    ]).then(() => {});
    // Awaiting it is the caller's choice.
    ended.catch(() => {});
    return { opened: Math.max(0, opened), ended };
  }

  /** How many files of `removed` are open in handlers; of one whose thread hangs nobody knows. */
  async #countOpened(removed: readonly BranchRecord[]): Promise<number> {
    const counts = handlersOf(removed).map(async (handler) => {
      const { answer = [] } = await this.#servers.askHandler(handler, "countBranches", undefined) ?? {};
      const own = answer.filter(({ id }) => removed.some((record) => record.id === id && record.handler === handler));
      return own.reduce((sum, { opened }) => sum + opened, 0);
    });
    const known = await Promise.all(
      counts.map((count) => inTime(count, this.#deadlines.telling, () => "").catch(() => 0)),
    );
    return known.reduce((sum, count) => sum + count, 0);
  }

  /** Where the open files of a branch are counted that goes lazily: the loops add their part, and its handler. */
  #makeCount(id: number, handler: number | undefined): Int32Array<SharedArrayBuffer> {
    // What was opened before this server is not counted, so that such a branch stays until the end.
    const more = handler !== undefined || this.#ledger.isSpent(id) ? 1 : 0;
    const counting = this.#options.loops.length + more;
    return new Int32Array(new SharedArrayBuffer(4)).fill(counting * NOT_ADDED);
  }

  /** When a branch that was removed is gone. What its handler has of it is closed when that ends. */
  async #endOf({ leaving, handler, release }: BranchRecord): Promise<void> {
    if (leaving !== undefined) await leaving.promise;
    else if (handler === undefined) await release(true);
  }

  /** Ends a handler whose branches are gone. */
  async #retire(handler: number): Promise<void> {
    const held = await this.#options.beside!.retire(handler);
    for (const { release } of this.#ledger.endHandler(handler, held)) await release(true);
  }

  /** The last open file of a branch that goes lazily was closed. */
  #endLater(id: number): void {
    void this.#unfinished.then(() => this.#wait(() => this.#end(id)));
  }

  /** What was open in a handler that died is not any more. */
  #endLeaving(handler: number): void {
    for (const { id, leaving } of this.#ledger.inHandler(handler)) if (leaving !== undefined) this.#endLater(id);
  }

  async #end(id: number): Promise<void> {
    const record = this.#ledger.get(id);
    if (record?.leaving === undefined) return;
    this.#ledger.drop(record);
    const { handler, leaving } = record;
    const ends = handler !== undefined && this.#ledger.inHandler(handler).length === 0;
    const dropped = Promise.all(this.#servers.askLoops("dropBranches", [{ id, ...ends && { handler } }]));
    if (handler !== undefined) this.#servers.tellHandler(handler, "dropBranches", [{ id }]);
    this.#goesOn(dropped);
    leaving.promise.catch(() => {});
    leaving.resolve(dropped.then(async () => {
      if (ends) await this.#retire(handler);
      else if (handler === undefined) await record.release(true);
    }));
    await atMost(dropped, this.#deadlines.completing);
  }

  async #catchUp(handler: number, { command, join, restarts }: CatchUp): Promise<void> {
    this.#endLeaving(handler);
    if (!this.#ledger.live.some((record) => record.handler === handler)) return;
    const numbers = this.#numbers;
    // Without numbers nothing has changed yet.
    if (numbers !== undefined) {
      const done = catchUpWith({ handler, ledger: this.#ledger, numbers, restarts }, command);
      await inTime(
        done,
        this.#deadlines.making,
        () => `It did not make its branches in ${this.#deadlines.making / 1000} s`,
      );
    }
    join();
  }
}

function handlersOf(branches: readonly { readonly handler?: number | undefined }[]): number[] {
  return [...new Set(branches.flatMap(({ handler }) => handler ?? []))];
}

/** What a handler is told of a branch: where it is, or how to make its own. */
function forHandler({ release: _, ...branch }: MadeBranch, handler?: number): LoopNewBranch {
  return branch.handler === handler && handler !== undefined
    ? branch
    : { ...branch, module: "", options: undefined, shared: undefined };
}
