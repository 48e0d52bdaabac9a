/** Makes branches ready on the mounting side: loads their modules, opens what their loops share, starts their handlers. */
import type { BranchModule, BranchStep } from "../fs/branches.ts";
import { FsError } from "../fs/errors.ts";
import type { KeptState } from "../fs/module.ts";
import type { BranchLedger } from "./branch_ledger.ts";
import type { HandlersBesideLoops } from "./handlers_beside_loops.ts";
import { type MadeBranch, makeLaterBranch } from "./later_branch.ts";
import { MOST_THREADS } from "./placement.ts";

/** For whom branches are made. */
export interface BranchHosts {
  readonly loops: number;
  /** Undefined where there cannot be handlers. */
  readonly beside: HandlersBesideLoops | undefined;
  /** Where a keeper holds the mount: no handlers come there. */
  readonly kept?: KeptState | undefined;
}

export class BranchMaker {
  readonly #hosts: BranchHosts;
  readonly #ledger: BranchLedger;
  /** How what is made and not closed yet is closed. */
  readonly #open = new Set<MadeBranch["release"]>();

  constructor(hosts: BranchHosts, ledger: BranchLedger) {
    this.#hosts = hosts;
    this.#ledger = ledger;
  }

  /** Makes what `steps` graft, with the next of `ids`. @throws what a module throws; then nothing is left. */
  async make(steps: readonly BranchStep[], ids: Iterator<number>): Promise<MadeBranch[]> {
    const made: MadeBranch[] = [];
    try {
      for (const step of steps) {
        if (step.action !== "prune") made.push(await this.#makeOne(step.path, step.branch, ids.next().value!));
      }
      return made;
    } catch (error) {
      await this.unmake(made);
      throw error;
    }
  }

  /** Closes what nobody has. */
  async unmake(made: readonly MadeBranch[]): Promise<void> {
    await Promise.all(made.map(async ({ handler, release }) => {
      if (handler !== undefined) await this.#hosts.beside!.retire(handler);
      await release(true);
    }));
  }

  /** At the end of the mount: closes what nobody has closed. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((release) => release(false)));
  }

  async #makeOne(path: string, branch: BranchModule, id: number): Promise<MadeBranch> {
    const { module, options, placement = "loop", limits = {} } = branch;
    const beside = placement === "handler" ? this.#roomFor(path) : undefined;
    const generation = (this.#ledger.generations.get(id) ?? -1) + 1;
    const later = { id, path, generation, module: String(module), options };
    const loops = beside === undefined ? this.#hosts.loops : 1;
    const made = this.#note(await makeLaterBranch(later, loops, this.#hosts.kept));
    try {
      return beside === undefined ? made : { ...made, handler: await beside.add(limits) };
    } catch (error) {
      await made.release(true);
      throw error;
    }
  }

  /** Of all that may close a branch, also at the end of the mount, the first does. */
  #note(made: MadeBranch): MadeBranch {
    const release: MadeBranch["release"] = async (removed) => {
      if (this.#open.delete(release)) await made.release(removed);
    };
    this.#open.add(release);
    return { ...made, release };
  }

  /** @throws {FsError} EOPNOTSUPP or ENOSPC where `path` cannot have a handler of its own. */
  #roomFor(path: string): HandlersBesideLoops {
    const { beside, kept } = this.#hosts;
    if (kept !== undefined) {
      const text =
        `Cannot graft at "${path}" in a handler: the mount outlives its server, and has the handlers that it had at first; ` +
        "graft it in the loops, or mount anew with it";
      throw new FsError("EOPNOTSUPP", text);
    }
    if (beside === undefined) {
      const text =
        `Cannot graft at "${path}" in a handler: the mount has none and takes longer requests than handlers do; ` +
        "mount with `handlersLater: true`";
      throw new FsError("EOPNOTSUPP", text);
    }
    // One that is replaced ends only when the other has taken its place.
    if (beside.handlers.size < 2 * MOST_THREADS) return beside;
    throw new FsError("ENOSPC", `Cannot graft at "${path}" in a handler: there are ${2 * MOST_THREADS} already`);
  }
}
