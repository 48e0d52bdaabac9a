/**
 * Changes the branches of a tree that loops serve: every loop makes a change, or none does. Each step is a command to all
 * loops at the same time, so that a change takes as long as in one; see `src/fs/branches.ts` for the steps.
 */
import {
  type BranchPoint,
  type BranchStep,
  type ChangedBranches,
  type ChangedName,
  type LiveBranches,
  NOT_ADDED,
  type RemovalOptions,
} from "../fs/branches.ts";
import { FsError } from "../fs/errors.ts";
import type { Awaitable } from "../fs/filesystem.ts";
import type { FileSystemModule } from "../fs/module.ts";
import type { Notifier } from "../fs/notifier.ts";
import type { LoopCommandName, LoopCommands, LoopDroppedBranch, LoopNewBranch } from "../messages.ts";
import type { LoopWorker } from "../session/loop_worker.ts";

/** Closes what a module's `prepare` opened. */
type Release = () => Awaitable<void>;

/** A branch that was made ready on this side. */
interface MadeBranch extends LoopNewBranch {
  readonly release: Release;
}

export interface LoopBranchesOptions {
  readonly loops: readonly LoopWorker[];
  readonly notifier: Notifier;
  /** What the tree has at first. */
  readonly points: readonly BranchPoint[];
  /** Closes what the branch had that was at `path` at first. */
  readonly releaseFirst: (path: string) => Awaitable<void>;
}

export class LoopBranches implements LiveBranches, AsyncDisposable {
  readonly #options: LoopBranchesOptions;
  readonly #ids: Map<string, number>;
  /** How many branches had an id before the one that has it, or had it last. */
  readonly #generations: Map<number, number>;
  /** What is to be closed when a branch is gone; nothing for the ids of those that are. */
  readonly #releases: Map<number, Release>;
  /** Branches that go lazily. */
  readonly #leaving = new Map<number, PromiseWithResolvers<void>>();
  /** The change that is made now; the next waits for it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: LoopBranchesOptions) {
    this.#options = options;
    const { points, releaseFirst, loops } = options;
    this.#ids = new Map(points.map(({ path, id }) => [path, id]));
    this.#generations = new Map(points.map(({ id }) => [id, 0]));
    this.#releases = new Map(points.map(({ path, id }) => [id, () => releaseFirst(path)]));
    for (const loop of loops) loop.onUnused = (id) => void this.#wait(() => this.#end(id)).catch(() => {});
  }

  change(steps: readonly BranchStep[], { lazy = false }: RemovalOptions = {}): Promise<ChangedBranches> {
    return this.#wait(() => this.#change(steps, lazy));
  }

  /** At the end of the mount: closes what is left of branches that came later. What was there at first has its own end. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { id } of this.#options.points) {
      if (this.#generations.get(id) === 0) this.#releases.delete(id);
    }
    await Promise.all([...this.#releases.keys()].map((id) => this.#release(id)));
    for (const { resolve } of this.#leaving.values()) resolve();
  }

  #wait<Result>(action: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(action);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #change(steps: readonly BranchStep[], lazy: boolean): Promise<ChangedBranches> {
    const removed = steps.filter(({ action }) => action !== "graft").map(({ path }) => path);
    const dropped = removed.map((path) => this.#idAt(path));
    const added = await this.#make(steps);
    let names: readonly ChangedName[];
    try {
      await this.#prepare(removed, added);
      // Fails only when a loop has ended, and with it the mount.
      [names = []] = await this.#command("commitBranches", undefined);
    } catch (error) {
      await Promise.all(added.map(({ release }) => release()));
      throw error;
    }
    for (const path of removed) this.#ids.delete(path);
    for (const { id, path, generation, release } of added) {
      this.#ids.set(path, id);
      this.#generations.set(id, generation);
      this.#releases.set(id, release);
    }
    // From here on the tree has changed, whatever else goes wrong.
    const { notifier } = this.#options;
    const told = Promise.allSettled(names.map(({ parent, name }) => notifier.invalidateEntry(parent, name)));
    const failed = (await told).find((outcome) => outcome.status === "rejected");
    const result = await this.#drop(dropped, lazy);
    if (failed !== undefined) throw failed.reason;
    return result;
  }

  /** Loads modules and opens what their loops share. What one throws, all are closed for. */
  async #make(steps: readonly BranchStep[]): Promise<MadeBranch[]> {
    await using undo = new AsyncDisposableStack();
    const ids = await this.#freeIds();
    const made: MadeBranch[] = [];
    for (const step of steps) {
      if (step.action === "prune") continue;
      const { path, branch: { module, options } } = step;
      const href = String(module);
      const { prepare, release } = await import(href) as FileSystemModule;
      const shared = await prepare?.(options, this.#options.loops.length);
      const releaseIt = () => release?.(shared);
      undo.defer(releaseIt);
      const id = ids.next().value!;
      const generation = (this.#generations.get(id) ?? -1) + 1;
      made.push({ id, path, generation, module: href, options, shared, release: releaseIt });
    }
    undo.move();
    return made;
  }

  /** All loops are ready to make the change, or none keeps anything of it. */
  async #prepare(removed: readonly string[], made: readonly MadeBranch[]): Promise<void> {
    const { loops } = this.#options;
    const added = made.map(({ release: _, ...branch }) => branch);
    const outcomes = await Promise.allSettled(loops.map((loop) => loop.command("prepareBranches", { removed, added })));
    const at = outcomes.findIndex(({ status }) => status === "rejected");
    if (at < 0) return;
    await Promise.allSettled(loops.map((loop) => loop.command("abandonBranches", undefined)));
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
    const dropped = ids.map((id): LoopDroppedBranch => ({
      id,
      ...lazy && { openFiles: new Int32Array(new SharedArrayBuffer(4)).fill(length * NOT_ADDED) },
    }));
    if (lazy) ids.forEach((id) => this.#leaving.set(id, Promise.withResolvers()));
    const held = (await this.#command("dropBranches", dropped)).flat();
    const opened = held.filter(({ id }) => ids.includes(id)).reduce((sum, { opened }) => sum + opened, 0);
    const endings = ids.map((id) => lazy ? this.#leaving.get(id)!.promise : this.#release(id));
    const ended = Promise.all(endings).then(() => {});
    // Awaiting it is the caller's choice.
    ended.catch(() => {});
    return { opened, ended };
  }

  /** The last open file of a branch that goes lazily was closed. */
  async #end(id: number): Promise<void> {
    const leaving = this.#leaving.get(id);
    if (leaving === undefined) return;
    this.#leaving.delete(id);
    try {
      await this.#command("dropBranches", [{ id }]);
      leaving.resolve(await this.#release(id));
    } catch (error) {
      leaving.promise.catch(() => {});
      leaving.reject(error);
    }
  }

  async #release(id: number): Promise<void> {
    const release = this.#releases.get(id);
    this.#releases.delete(id);
    await release?.();
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
    return (function* () {
      for (let id = 1;; id++) if (!taken.has(id) && (held.get(id) ?? 0) <= 0) yield id;
    })();
  }

  #idAt(path: string): number {
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
}
