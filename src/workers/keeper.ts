/**
 * A keeper's process (`begin_keeper.ts`): keeps one mount for the process that started it (`src/keeper_process.ts`), and
 * unmounts when that one is gone. It has nothing else to do, so that it never has anything of the mount open.
 */
import { keep } from "../keep.ts";
import type { Keeper } from "../keeper/keeper.ts";
import { type FromKeeper, TO_KEEPER, type ToKeeper } from "../keeper/keeper_messages.ts";
import { describeFailure } from "../keeper/failure.ts";
import { checkVersion } from "../keeper/messages.ts";
import { ParentLine } from "../keeper/parent_line.ts";
import type { LoopPlacement } from "../placements/loops.ts";
import type { HandlerPlacement } from "../placements/workers.ts";

const parent = new ParentLine<ToKeeper, FromKeeper | ReturnType<typeof describeFailure>>();

/** What messages are answered with. */
const ANSWERS: Partial<Record<ToKeeper["kind"], FromKeeper["kind"]>> = {
  ...{ keep: "kept", status: "status", restart: "restarted", change: "changed" },
};
let keeper: Keeper | undefined;

for await (const message of parent.listen(TO_KEEPER)) void obey(message).catch((error) => fail(message, error));
await keeper?.unmount();
Deno.exit(0);

function fail({ kind }: ToKeeper, error: unknown): void {
  const of = ANSWERS[kind];
  parent.say({ ...describeFailure(error), ...of && { of } });
  // A keeper without a mount is none.
  if (keeper === undefined) Deno.exit(1);
}

async function obey(message: ToKeeper): Promise<void> {
  switch (message.kind) {
    case "keep":
      return await begin(message);
    case "status":
      return parent.say({ kind: "status", operations: await keeper!.metrics() });
    case "restart":
      await keeper!.restart();
      return parent.say({ kind: "restarted", server: keeper!.server });
    case "invalidate":
      return await keeper!.invalidate(message.node);
    case "change":
      return parent.say({ kind: "changed", ...await keeper!.changeBranches(message.steps, message.options) });
    case "unmount":
      return await keeper!.unmount();
  }
}

async function begin(message: Extract<ToKeeper, { kind: "keep" }>): Promise<void> {
  checkVersion(message);
  const { placement, mountpoint, options } = message;
  const log = (message: string, detail: string) => parent.say({ kind: "log", message, detail });
  keeper = await keep(placement as LoopPlacement | HandlerPlacement, mountpoint, { ...options, log });
  keeper.onServer = (server) => parent.say({ kind: "served", server });
  const { minor, features, kernelFeatures, server } = keeper;
  parent.say({
    ...{ kind: "kept", mountpoint: keeper.mountpoint, minor, server },
    ...{ features: [...features], kernelFeatures: [...kernelFeatures] },
  });
  keeper.finished.then(() => end(), (error) => end(error));
}

function end(error?: unknown): never {
  parent.say({ kind: "finished", ...error !== undefined && { failure: describeFailure(error) } });
  Deno.exit(0);
}
