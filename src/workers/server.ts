/**
 * A server's process (`begin_server.ts`): serves a mount that its keeper holds (`src/keeper`). Frames come on standard
 * input and go out on what was standard output; when the input ends, the keeper is gone, and the mount is taken away.
 */
import { NotifyHandler } from "../channels/notify_handler.ts";
import { GivenConnection } from "../connection/given_connection.ts";
import { findMount } from "../connection/mount_table.ts";
import { unmountAtOnce } from "../connection/unmount.ts";
import {
  agreementOf,
  checkVersion,
  countIsolates,
  type FromServer,
  type ServedModule,
  type ServerLoad,
  type ServerServe,
  type ServerStart,
  TO_SERVER,
  type ToServer,
} from "../keeper/messages.ts";
import { type OpenedKeptState, openJournal, openKeptState } from "../kept/kept_state.ts";
import { describeFailure } from "../keeper/failure.ts";
import { takeDescriptors } from "../keeper/given_descriptors.ts";
import { openKeptNodes } from "../keeper/kept_open_nodes.ts";
import { ParentLine } from "../keeper/parent_line.ts";
import { keepToProcess } from "../keeper/passed_descriptors.ts";
import { completeLimits } from "../handler/limits.ts";
import { startLoops } from "../placements/loops.ts";
import type { Servers } from "../placements/placement.ts";
import { Session } from "../session.ts";
import { makeInterrupts } from "../session/interrupts.ts";
import { dropLoopThread, loadInLoopThread } from "../threads/loop_thread.ts";
import { OpenNodes } from "../transport/open_nodes.ts";

const parent = new ParentLine<ToServer, FromServer | ReturnType<typeof describeFailure>>();
/** Where descriptors come, and what it inherited beside that. */
const [socket, ...inherited] = Deno.args.map(Number);
const log = (message: string, detail: string) => parent.say({ kind: "log", message, detail });
const resources = new AsyncDisposableStack();
// The keeper holds the connection, and has another server answer what this one leaves.
const notifications = resources.use(new NotifyHandler(log, false));
let start: ServerStart | undefined;
let placed: Servers | undefined;
let session: Session | undefined;

// A program of the module's that outlives the server has no part in them.
keepToProcess([socket!, ...inherited]);
try {
  for await (const message of parent.listen(TO_SERVER)) await obey(message);
} catch (error) {
  parent.say(describeFailure(error));
  Deno.exit(1);
}
// The keeper is gone. What is mounted there may be another's by now, so that the connection's number is compared.
if (start !== undefined) await takeMountAway(start);
Deno.exit(0);

async function obey(message: ToServer): Promise<void> {
  switch (message.kind) {
    case "load":
      return load(message);
    case "start":
      return await prepare(message);
    case "serve":
      return serve(message);
    case "status":
      return parent.say({ kind: "status", operations: placed!.readMetrics() });
    case "invalidate":
      return void notifications.notifier.invalidateNode(message.node);
    case "change":
      return void change(message).catch((error) => parent.say({ ...describeFailure(error), of: "changed" }));
    case "stop":
      return stop();
  }
}

/** What does not go well here does not when it is started either, and is said then. */
function load({ served: { placement, module } }: ServerLoad): void {
  if (placement === "loop") loadInLoopThread(module);
  else dropLoopThread();
  import(module).catch(() => {});
}

async function prepare(message: ServerStart): Promise<void> {
  checkVersion(message);
  start = takeDescriptors(socket!, message);
  const { served, history, resumes, file } = start;
  const interrupted = history.interrupted.map((unique) => unique ?? undefined);
  const kept = openKeptState(start.kept, { ...history, interrupted, resumes, file, log });
  placed = await place(served, kept);
  const { methods, features, maxWrite } = placed;
  parent.say({ kind: "ready", methods, features, ...maxWrite !== undefined && { maxWrite } });
}

async function place(served: ServedModule, kept: OpenedKeptState): Promise<Servers> {
  const { placement, module, options, readers, handlers, limits } = served;
  if (placement === "loop") {
    const loops = { module, options, loops: readers, handlers };
    return await startLoops(loops, notifications, log, resources, kept);
  }
  dropLoopThread();
  const { startWorkers } = await import("../placements/workers.ts");
  const workers = { module, options, placement, workers: readers } as const;
  return await startWorkers(workers, notifications, completeLimits(limits), log, resources, kept);
}

function serve(message: ServerServe): void {
  const { devices: [device, ...clones], mountpoint, defaults, debug, kept, served } = start!;
  const { servers, readMetrics, branches, open } = placed!;
  const agreement = agreementOf(message);
  const connection = new GivenConnection(mountpoint, device!, clones);
  notifications.open(() => connection.attach());
  open?.((worker) => connection.duplicate(worker));
  const openNodes = agreement.features.has("passthrough") ? openKeptNodes(kept.openNodes) : undefined;
  if (openNodes !== undefined) forgetAttributes(openNodes);
  const shared = {
    ...{ interrupts: makeInterrupts(servers.length), openNodes },
    journal: openJournal(kept, countIsolates(served)),
    heartbeat: message.heartbeat,
  };
  session = new Session({
    ...{ connection, servers, readMetrics, branches, transport: "device", offer: agreement.features },
    settings: { ...agreement, ...shared, defaults, debug },
    notifier: notifications.notifier,
  });
  session.own(resources);
  parent.say({ kind: "serving" });
  session.finished.then(() => end(), (error) => {
    log("What serves failed, and the server with it", String(error));
    Deno.exit(1);
  });
}

/**
 * What programs wrote while nobody served is not in the answers that a dead server had made; and those to `create` are
 * believed even if they are old (fuse_create_open gives fuse_iget no version to compare).
 */
function forgetAttributes(openNodes: Int32Array<SharedArrayBuffer>): void {
  for (const node of new OpenNodes(openNodes).passedThrough()) void notifications.notifier.invalidateNode(node, -1);
}

/** Other messages are obeyed meanwhile: it waits for the kernel. */
async function change({ steps, lazy }: Extract<ToServer, { kind: "change" }>): Promise<void> {
  const { opened } = await session!.changeBranches(steps, { lazy });
  const { branches } = placed!;
  // It has changed, and so there is such a thing.
  if (!("why" in branches)) parent.say({ kind: "changed", opened, tree: branches.history! });
}

/** What serves has ended, because the mount is gone or this process was told to stop. */
function end(): never {
  parent.say({ kind: "stopping", reason: session!.endReason ?? "stopped" });
  Deno.exit(0);
}

function stop(): void {
  if (session === undefined) Deno.exit(0);
  void session.stop();
}

async function takeMountAway({ mountpoint, mountedDevice }: ServerStart): Promise<void> {
  const mount = await findMount(mountpoint);
  if (mount === undefined || mount.device !== mountedDevice) return;
  // A loop that waits in the kernel, where no signal reaches it, keeps this process and the connection.
  await unmountAtOnce(mountpoint).catch((error) => console.error(`trellis: ${error.message}`));
}
