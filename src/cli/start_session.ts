/** Mounts what a command has planned, and tells each kind of failure from the others. */
import { LibraryError } from "../../ffi/library.ts";
import { MountError } from "../connection/connection.ts";
import type { ChangingMount } from "../config/live_config.ts";
import { deviceDescriptor, MountpointError } from "../connection/mountpoint.ts";
import type { ReloadRequest } from "../control/messages.ts";
import { FsError } from "../fs/errors.ts";
import { KeeperError } from "../keeper/kept_mount.ts";
import { keepable } from "../kept_mount_options.ts";
import { type KeptMount, mount, type Session } from "../mount.ts";
import type { FailureKind } from "./exit_codes.ts";
import { Failure } from "./failure.ts";
import type { MountPlan } from "./mount_plan.ts";
import type { Mountpoint } from "./mountpoint.ts";
import { findProblems } from "./requirements.ts";

/** @throws {Failure} when this machine cannot mount. */
export async function checkMachine(mountpoint: string): Promise<void> {
  // A descriptor has been opened and mounted by somebody else, so libfuse is all that matters.
  const problems = await findProblems(deviceDescriptor(mountpoint) !== undefined ? ["libfuse"] : undefined);
  if (problems.length > 0) throw new Failure("ENVIRONMENT", `Cannot mount on ${mountpoint}: ${problems.join("\n")}`);
}

/** Mounts. A mountpoint that was made goes before the control socket, which tells `umount` that all is done. @throws {Failure} */
export async function startSession(
  plan: MountPlan,
  mountpoint: Mountpoint,
  debug: boolean,
): Promise<Session | KeptMount> {
  try {
    return await (plan.keeper?.separate === true ? startKept : startServed)(plan, mountpoint, debug);
  } catch (error) {
    throw asFailure(error);
  }
}

/** Waits for a mount's end. @throws {Failure} when it could not go on. */
export async function awaitEnd({ finished }: Session | KeptMount): Promise<void> {
  try {
    await finished;
  } catch (error) {
    throw asFailure(error);
  }
}

/** This process serves. */
async function startServed(plan: MountPlan, mountpoint: Mountpoint, debug: boolean): Promise<Session> {
  const { reload } = plan;
  const live = Promise.withResolvers<ChangingMount>();
  const session = await mount(plan.placement, mountpoint.path, {
    filesystemName: plan.name,
    subtype: "trellis",
    control: {
      ...reload && { reload: async (request: ReloadRequest) => await reload(await live.promise, request) },
      ...plan.keeper && { noKeeper: plan.keeper.reason },
    },
    ...plan.settings,
    ...debug ? { debug } : {},
  });
  session.own(mountpoint);
  live.resolve(session);
  return session;
}

/** This process keeps the mount, and another serves. */
async function startKept(
  { name, placement, settings, reload, resend, spare, restarts, hangTimeout }: MountPlan,
  mountpoint: Mountpoint,
  debug: boolean,
) {
  const { transport: _transport, control: _control, ...options } = settings;
  const { keep } = await import("../keep.ts");
  const live = Promise.withResolvers<ChangingMount>();
  const general = {
    ...{ filesystemName: name, subtype: "trellis", control: true },
    ...debug && { debug },
    ...resend !== undefined && { resend },
    ...spare !== undefined && { spare },
    ...restarts !== undefined && { restarts },
    ...hangTimeout !== undefined && { hangTimeout },
  };
  const keeper = await keep(
    keepable(placement),
    mountpoint.path,
    { ...general, ...options },
    reload && {
      reload: async (request) => await reload(await live.promise, request),
    },
  );
  await keeper.own(mountpoint);
  live.resolve(keeper);
  return keeper;
}

function asFailure(error: unknown): unknown {
  const kind = FAILURES.find(([type]) => error instanceof type)?.[1];
  return kind === undefined ? error : new Failure(kind, (error as Error).message, { cause: error });
}

const FAILURES: readonly [new (...args: never[]) => Error, FailureKind][] = [
  [LibraryError, "ENVIRONMENT"],
  [MountpointError, "MOUNTPOINT"],
  [MountError, "MOUNT"],
  [KeeperError, "MOUNT"],
  // Of the filesystems only passthrough can fail before it serves: when it opens its source.
  [FsError, "SOURCE"],
];
