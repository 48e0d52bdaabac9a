/**
 * Changes the branches of a tree that loops serve, with handlers beside them or without: all make a change, or none does.
 * Each step is a command to all loops at the same time, so that a change takes as long as in one; see `src/fs/branches.ts`
 * for the steps.
 *
 * Handlers come after the loops: a loop that has the change no longer hands on what a handler with the change would refuse
 * (`src/layers/branch/elsewhere.ts`). A handler that died has no say. The one that takes its place waits until the change
 * is made or not, is told of all that the tree has become, and then serves.
 */
import {
  type BranchPoint,
  type BranchStep,
  type ChangedBranches,
  type ChangedName,
  type LiveBranches,
  NOT_ADDED,
  type PlaceNumbers,
  type RemovalOptions,
  type TreeHistory,
} from "../fs/branches.ts";
import { FsError } from "../fs/errors.ts";
import type { Awaitable } from "../fs/filesystem.ts";
import type { CatchUp, HandlerPool } from "../handler/pool.ts";
import type { OpenedKeptState } from "../kept/kept_state.ts";
import type { Notifier } from "../fs/notifier.ts";
import type { LoopCommandName, LoopCommands, LoopDroppedBranch } from "../messages.ts";
import type { LoopWorker } from "../session/loop_worker.ts";
import { catchUpWith } from "./catch_up.ts";
import { type MadeBranch, makeLaterBranch } from "./later_branch.ts";

/** How long a handler may take to get ready for a change, which is at once unless its thread is busy. */
const PATIENCE_MILLISECONDS = 5_000;

export interface LoopBranchesOptions {
  readonly loops: readonly LoopWorker[];
  /** Those beside the loops, by their numbers. */
  readonly handlers: readonly Pick<HandlerPool, "command" | "onReplaced">[];
  readonly notifier: Notifier;
  /** What the tree has at first. */
  readonly points: readonly BranchPoint[];
  /** Closes what the branch had that was at `path` at first. */
  readonly releaseFirst: (path: string) => Awaitable<void>;
  /** Where a keeper holds the mount: what outlives this server. */
  readonly kept?: OpenedKeptState | undefined;
  /** The branches that `kept.tree` adds, made. */
  readonly later?: readonly MadeBranch[];
}

export class LoopBranches implements LiveBranches, AsyncDisposable {
  readonly #options: LoopBranchesOptions;
  readonly #ids: Map<string, number>;
  /** How many branches had an id before the one that has it, or had it last. */
  readonly #generations: Map<number, number>;
  /** What is to be closed when a branch is gone; nothing for the ids of those that are. */
  readonly #releases: Map<number, MadeBranch["release"]>;
  /** Those that came later, by their paths. */
  readonly #later: Map<string, MadeBranch>;
  /** Ids of which the kernel may hold what only a server before this one has counted. */
  readonly #spent: ReadonlySet<number>;
  /** Branches that go lazily. */
  readonly #leaving = new Map<number, PromiseWithResolvers<void>>();
  /** Which numbers paths have since the last change, where there are handlers or a keeper. */
  #numbers: PlaceNumbers | undefined;
  /** The change that is made now; the next waits for it. */
  #turn: Promise<unknown> = Promise.resolve();
  /**
   * What makes the trees differ from each other: a change until it is committed, or the catching up of a handler. The
   * latter must not wait for the whole change, which waits for the kernel, which may wait for that handler to answer.
   */
  #agreement: Promise<unknown> = Promise.resolve();

  constructor(options: LoopBranchesOptions) {
    this.#options = options;
    const { points, releaseFirst, loops, handlers, kept, later = [] } = options;
    const { removed = [], generations = [], numbers } = kept?.tree ?? {};
    const first = points.filter(({ path }) => !removed.includes(path));
    this.#ids = new Map([...first, ...later].map(({ path, id }) => [path, id]));
    this.#generations = new Map([...points.map(({ id }) => [id, 0] as const), ...generations]);
    this.#releases = new Map(first.map(({ path, id }) => [id, () => releaseFirst(path)]));
    for (const { id, release } of later) this.#releases.set(id, release);
    this.#later = new Map(later.map((branch) => [branch.path, branch]));
    this.#spent = new Set(kept !== undefined && kept.restarts > 0 ? this.#generations.keys() : []);
    this.#numbers = numbers && new Map(numbers);
    for (const loop of loops) loop.onUnused = (id) => void this.#wait(() => this.#end(id)).catch(() => {});
    for (const handler of handlers) handler.onReplaced = (catchUp) => this.#agree(() => this.#catchUp(catchUp));
  }

  change(steps: readonly BranchStep[], { lazy = false }: RemovalOptions = {}): Promise<ChangedBranches> {
    return this.#wait(() => this.#change(steps, lazy));
  }

  get history(): TreeHistory | undefined {
    if (this.#options.kept === undefined || this.#numbers === undefined) return undefined;
    const isThere = ({ path, id }: BranchPoint) => this.#ids.get(path) === id && !this.#later.has(path);
    return {
      removed: this.#options.points.filter((point) => !isThere(point)).map(({ path }) => path),
      added: [...this.#later.values()].map(({ id, path, generation, module, options }) => {
        return { id, path, generation, module, options };
      }),
      generations: [...this.#generations],
      numbers: [...this.#numbers],
    };
  }

  /** At the end of the mount: closes what is left of branches that came later. What was there at first has its own end. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { id } of this.#options.points) {
      if (this.#generations.get(id) === 0) this.#releases.delete(id);
    }
    await Promise.all([...this.#releases.keys()].map((id) => this.#release(id, false)));
    for (const { resolve } of this.#leaving.values()) resolve();
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
    const removed = steps.filter(({ action }) => action !== "graft").map(({ path }) => path);
    const dropped = removed.map((path) => this.#removableAt(path));
    const added = await this.#make(steps);
    let names: readonly ChangedName[];
    try {
      names = await this.#agree(() => this.#makeChange(removed, added));
    } catch (error) {
      await Promise.all(added.map(({ release }) => release(true)));
      throw error;
    }
    // From here on the tree has changed, whatever else goes wrong.
    const { notifier } = this.#options;
    const told = Promise.allSettled(names.map(({ parent, name }) => notifier.invalidateEntry(parent, name)));
    const failed = (await told).find((outcome) => outcome.status === "rejected");
    const result = await this.#drop(dropped, lazy);
    if (failed !== undefined) throw failed.reason;
    return result;
  }

  async #makeChange(removed: readonly string[], added: readonly MadeBranch[]): Promise<readonly ChangedName[]> {
    await this.#prepare(removed, added);
    // Fails only when a loop has ended, and with it the mount.
    const [names = []] = await this.#command("commitBranches", undefined);
    const { loops, handlers, kept } = this.#options;
    if (handlers.length > 0) await this.#tellHandlers("commitBranches", undefined);
    if (handlers.length > 0 || kept !== undefined) this.#numbers = await loops[0]!.command("numberPlaces", undefined);
    for (const path of removed) {
      this.#ids.delete(path);
      this.#later.delete(path);
    }
    for (const branch of added) {
      const { id, path, generation, release } = branch;
      this.#ids.set(path, id);
      this.#later.set(path, branch);
      this.#generations.set(id, generation);
      this.#releases.set(id, release);
    }
    return names;
  }

  async #catchUp({ command, join }: CatchUp): Promise<void> {
    const { points: first, loops: { length: loops } } = this.#options;
    const numbers = this.#numbers;
    const present = { first, ids: this.#ids, generations: this.#generations, loops };
    // Without numbers nothing has changed yet.
    if (numbers !== undefined) await catchUpWith({ ...present, numbers }, command);
    join();
  }

  /** Loads modules and opens what their loops share. What one throws, all are closed for. */
  async #make(steps: readonly BranchStep[]): Promise<MadeBranch[]> {
    await using undo = new AsyncDisposableStack();
    const ids = await this.#freeIds();
    const made: MadeBranch[] = [];
    for (const step of steps) {
      if (step.action === "prune") continue;
      const { path, branch: { module, options } } = step;
      const id = ids.next().value!;
      const generation = (this.#generations.get(id) ?? -1) + 1;
      const { loops, kept } = this.#options;
      const branch = await makeLaterBranch(
        { id, path, generation, module: String(module), options },
        loops.length,
        kept,
      );
      undo.defer(() => branch.release(true));
      made.push(branch);
    }
    undo.move();
    return made;
  }

  /** All loops are ready to make the change, or none keeps anything of it. */
  async #prepare(removed: readonly string[], made: readonly MadeBranch[]): Promise<void> {
    const { loops, handlers } = this.#options;
    const added = made.map(({ release: _, ...branch }) => branch);
    const change = { removed, added };
    // What handlers are told of what comes is where: its module is the loops'.
    const points = { removed, added: added.map((branch) => ({ ...branch, options: undefined, shared: undefined })) };
    const [outcomes, inHandlers] = await Promise.all([
      Promise.allSettled(loops.map((loop) => loop.command("prepareBranches", change))),
      Promise.allSettled(handlers.map((handler, number) => inTime(number, handler.command("prepareBranches", points)))),
    ]);
    const at = outcomes.findIndex(({ status }) => status === "rejected");
    const refused = inHandlers.find(({ status }) => status === "rejected");
    if (at < 0 && refused === undefined) return;
    // A handler that is late finds both when it comes round: commands keep their order.
    for (const handler of handlers) handler.command("abandonBranches", undefined).catch(() => {});
    await Promise.allSettled(loops.map((loop) => loop.command("abandonBranches", undefined)));
    if (at < 0) throw (refused as PromiseRejectedResult).reason;
    const { reason } = outcomes[at] as PromiseRejectedResult;
    if (outcomes.every(({ status }) => status === "rejected")) throw reason;
    const text = `Cannot change the branches: loop ${at} of ${loops.length} refuses, and the others took it back: ` +
      reason.message;
    throw reason instanceof FsError
      ? new FsError(reason.code, text, { cause: reason })
      : new Error(text, { cause: reason });
  }

  async #drop(ids: readonly number[], lazy: boolean): Promise<ChangedBranches> {
    const { length } = this.#options.loops;
    // What was opened before this server is not counted, so that such a branch stays until the end.
    const parts = (id: number) => this.#spent.has(id) ? length + 1 : length;
    const dropped = ids.map((id): LoopDroppedBranch => ({
      id,
      ...lazy && { openFiles: new Int32Array(new SharedArrayBuffer(4)).fill(parts(id) * NOT_ADDED) },
    }));
    if (lazy) ids.forEach((id) => this.#leaving.set(id, Promise.withResolvers()));
    const held = (await this.#command("dropBranches", dropped)).flat();
    await this.#tellHandlers("dropBranches", ids.map((id) => ({ id })));
    const opened = held.filter(({ id }) => ids.includes(id)).reduce((sum, { opened }) => sum + opened, 0);
    const endings = ids.map((id) => lazy ? this.#leaving.get(id)!.promise : this.#release(id, true));
    const ended = Promise.all(endings).then(() => {});
    // Awaiting it is the caller's choice.
    ended.catch(() => {});
    return { opened: Math.max(0, opened), ended };
  }

  /** The last open file of a branch that goes lazily was closed. */
  async #end(id: number): Promise<void> {
    const leaving = this.#leaving.get(id);
    if (leaving === undefined) return;
    this.#leaving.delete(id);
    try {
      await this.#command("dropBranches", [{ id }]);
      leaving.resolve(await this.#release(id, true));
    } catch (error) {
      leaving.promise.catch(() => {});
      leaving.reject(error);
    }
  }

  async #release(id: number, removed: boolean): Promise<void> {
    const release = this.#releases.get(id);
    this.#releases.delete(id);
    await release?.(removed);
  }

  /** Ids in order that no branch has and the kernel holds nothing of. */
  async #freeIds(): Promise<Iterator<number>> {
    const taken = new Set([...this.#ids.values(), ...this.#leaving.keys()]);
    const held = new Map<number, number>();
    // Nothing is handed out of a branch that every loop has dropped, so what is counted one after the other can only be
    // more than there is.
    if ([...this.#generations.keys()].some((id) => !taken.has(id))) {
      for (const { id, lookups, opened } of (await this.#command("countBranches", undefined)).flat()) {
        held.set(id, (held.get(id) ?? 0) + lookups + opened);
      }
    }
    const spent = this.#spent;
    return (function* () {
      for (let id = 1;; id++) if (!taken.has(id) && !spent.has(id) && (held.get(id) ?? 0) <= 0) yield id;
    })();
  }

  /** The branch that goes from `path`. What a handler serves lives as long as the handler. */
  #removableAt(path: string): number {
    const handler = this.#options.points.find((point) => point.path === path)?.handler;
    if (handler !== undefined) {
      const text = `Cannot prune or replace "${path}": handler ${handler} serves it, which stays while mounted`;
      throw new FsError("EBUSY", text);
    }
    const id = this.#ids.get(path);
    if (id !== undefined) return id;
    throw new FsError("ENOENT", `Cannot prune or replace "${path}": no branch is grafted there`);
  }

  #command<Name extends LoopCommandName>(
    name: Name,
    given: LoopCommands[Name]["given"],
  ): Promise<LoopCommands[Name]["answer"][]> {
    return Promise.all(this.#options.loops.map((loop) => loop.command(name, given)));
  }

  /** Those that have died have no tree that could differ. */
  async #tellHandlers<Name extends LoopCommandName>(name: Name, given: LoopCommands[Name]["given"]): Promise<void> {
    await Promise.all(this.#options.handlers.map((handler) => handler.command(name, given)));
  }
}

/** What a handler does, unless its thread does not come round to it. @throws {FsError} ETIMEDOUT. */
async function inTime(handler: number, done: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const text = `Cannot change the branches: handler ${handler} has been busy for ${PATIENCE_MILLISECONDS / 1000} s; ` +
    "try again when it answers";
  const timer = setTimeout(() => late.reject(new FsError("ETIMEDOUT", text)), PATIENCE_MILLISECONDS);
  try {
    await Promise.race([done, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
