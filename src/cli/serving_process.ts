/** Which process serves a mount that is planned, and what of the options that leaves without a sense. */
import { whyKeeperWanted } from "../config/kept_branches.ts";
import type { ServerSettings } from "../config/mount_options.ts";
import { Failure } from "./failure.ts";
import { chooseKeeper, type KeeperChoice } from "./keeper_choice.ts";
import { examineForKeeper } from "./keeper_facts.ts";
import type { ParsedOptions } from "./mount_options.ts";
import type { MountPlan } from "./mount_plan.ts";

/** A plan and its mountpoint. */
export interface MountAt<Plan extends MountPlan = MountPlan> {
  readonly plan: Plan;
  readonly mountpoint: string;
}

/** A plan of which is decided who serves. */
export type DecidedPlan = MountPlan & { readonly keeper: KeeperChoice };

/** What is said of the process that serves, and what nobody said. */
type PlannedServer = ServerSettings & Required<Pick<ServerSettings, "process" | "resend" | "spare">>;

/** A plan with what `-o` says, which wins. @throws {Failure} for what no keeper can hold, and what is for a keeper alone. */
export async function withOptions({ plan, mountpoint }: MountAt, parsed: ParsedOptions): Promise<MountAt<DecidedPlan>> {
  const { mount } = parsed;
  const server = serverOf(plan, parsed);
  const settings = { ...plan.settings, ...mount, options: [...plan.settings.options ?? [], ...mount.options] };
  const planned = { ...plan, settings, ...server };
  const facts = await examineForKeeper(planned, mountpoint, server);
  const keeper = chooseKeeper(facts);
  if (keeper.separate && facts.refusal !== undefined) {
    throw new Failure("USAGE", `Cannot mount ${mountpoint} with process=separate: ${facts.refusal}`);
  }
  refuseSenseless(server, keeper, parsed);
  if (!keeper.separate) refuseUnkeepable(plan, keeper);
  return { plan: { ...planned, keeper }, mountpoint };
}

/** Which process serves, when `given` wins over `planned`. */
export function serverOf(planned: ServerSettings, given: ServerSettings = {}): PlannedServer {
  const { process = "auto", resend = true, spare = false } = planned;
  const restarts = given.restarts ?? planned.restarts;
  const hangTimeout = given.hangTimeout ?? planned.hangTimeout;
  return {
    ...{ process: given.process ?? process, resend: given.resend ?? resend, spare: given.spare ?? spare },
    ...restarts !== undefined && { restarts },
    ...hangTimeout !== undefined && { hangTimeout },
  };
}

/** @throws {Failure} for options that could do nothing. */
function refuseSenseless(
  { resend, spare, restarts, hangTimeout }: PlannedServer,
  { separate, reason }: KeeperChoice,
  { memory }: ParsedOptions,
): void {
  const given = {
    ...{ no_resend: !resend, spare, restarts: restarts !== undefined, hang_timeout: hangTimeout !== undefined },
    keep_content: memory.keepContent === true,
  };
  for (const [option, isGiven] of Object.entries(given)) {
    if (!isGiven || separate) continue;
    const text = `The mount option "${option}" is for a mount with a keeper, and this one has none`;
    throw new Failure("USAGE", `${text} (${reason}): add process=separate`);
  }
  if (!resend && spare) {
    const reason = "no server can wait for a mount that is made anew for it: leave out one of the two";
    throw new Failure("USAGE", `The mount options "spare" and "no_resend" exclude each other: ${reason}`);
  }
}

/** @throws {Failure} when a branch wants to outlive its server, and nothing does. */
function refuseUnkeepable({ parts }: MountPlan, { reason }: KeeperChoice): void {
  for (const part of parts) {
    const wanted = whyKeeperWanted(part);
    if (wanted === undefined) continue;
    const text = `Cannot mount branch "${part.path}" without a keeper (${reason}): ${wanted}`;
    throw new Failure("USAGE", `${text}; add process=separate`);
  }
}
