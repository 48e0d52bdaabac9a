/** Brings the tree of a handler that was not there when branches changed from the first branches to the present ones. */
import type { PlaceNumbers } from "../fs/branches.ts";
import type { LoopCommandName, LoopCommands, LoopNewBranch } from "../messages.ts";
import type { BranchLedger } from "./branch_ledger.ts";

/** Has the handler do something. */
type Command = <Name extends LoopCommandName>(
  name: Name,
  given: LoopCommands[Name]["given"],
) => Promise<LoopCommands[Name]["answer"]>;

/** What the handler is to know. */
export interface CatchingUp {
  readonly handler: number;
  readonly ledger: BranchLedger;
  /** In node ids: the loops and the handler must number alike. */
  readonly numbers: PlaceNumbers;
  /** How many handlers died in this one's place. */
  readonly restarts: number;
}

export async function catchUpWith({ handler, ledger, numbers, restarts }: CatchingUp, command: Command): Promise<void> {
  const { first, live, generations } = ledger;
  const firstOf = (path: string, id: number) => first.find((point) => point.path === path && point.id === id);
  const stays = ({ path, id }: { path: string; id: number }) => {
    return generations.get(id) === 0 && live.some((record) => record.path === path && record.id === id);
  };
  const gone = first.filter((point) => !stays(point));
  const came = live.filter(({ path, id }) => firstOf(path, id) === undefined || generations.get(id) !== 0);
  const added = came.map(({ path, id, handler: its, made }): LoopNewBranch => {
    if (its === handler) return { ...made!, restarts };
    // Of what others serve a handler needs to know only where it is.
    return { path, id, generation: 0, module: "", options: undefined, shared: undefined, loops: 1 };
  });
  // One after the other, for an id may be another branch's now.
  await command("prepareBranches", { removed: gone.map(({ path }) => path), added: [], numbers });
  await command("commitBranches", undefined);
  await command("dropBranches", gone.map(({ id }) => ({ id })));
  await command("prepareBranches", { removed: [], added });
  await command("commitBranches", undefined);
  await command("dropBranches", []);
}
