/** A keeper in a process of its own, as the library sees it: that process may not touch the mount, and this one may. */
import type { Feature } from "./connection/features.ts";
import type { BranchStep, ChangedBranches, RemovalOptions } from "./fs/branches.ts";
import { startProcess } from "./keeper/deno_process.ts";
import { FramedProcess } from "./keeper/framed_process.ts";
import { FROM_KEEPER, type FromKeeper, type Kept, type ToKeeper } from "./keeper/keeper_messages.ts";
import { KeeperError, type KeptMount, type ServerState } from "./keeper/kept_mount.ts";
import { rebuildFailure, unwrapFailure } from "./keeper/failure.ts";
import { VERSION } from "./keeper/messages.ts";
import type { KeptMountOptions } from "./kept_mount_options.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { logToStandardError } from "./mount_options.ts";
import type { LoopPlacement } from "./placements/loops.ts";
import type { HandlerPlacement } from "./placements/workers.ts";

const ENTRY = new URL("workers/begin_keeper.ts", import.meta.url);

/** Starts the keeper, and returns when the mount is live. @throws as `mount` does. */
export async function startKeeper(
  filesystem: LoopPlacement | HandlerPlacement,
  mountpoint: string,
  { process: _, log = logToStandardError, ...mountOptions }: KeptMountOptions,
): Promise<KeptMount> {
  const path = mountpoint.startsWith("/") ? mountpoint : `${Deno.cwd()}/${mountpoint}`;
  const placement = { ...filesystem, module: String(filesystem.module) };
  const keeper = new KeeperProcess(log);
  await keeper.start({ kind: "keep", version: VERSION, placement, mountpoint: path, options: mountOptions });
  return keeper;
}

class KeeperProcess implements KeptMount {
  server: ServerState = { pid: 0, restarts: 0, mountedAnew: 0 };
  readonly finished: Promise<void>;
  readonly #process: FramedProcess<ToKeeper, FromKeeper>;
  #kept: Kept | undefined;
  #end: Extract<FromKeeper, { kind: "finished" }> | undefined;

  constructor(log: NonNullable<KeptMountOptions["log"]>) {
    this.#process = new FramedProcess<ToKeeper, FromKeeper>(startProcess(ENTRY), {
      title: "The keeper",
      kinds: FROM_KEEPER,
      onMessage: (message) => {
        if (message.kind === "log") log(message.message, message.detail);
        if (message.kind === "served") this.server = message.server;
        if (message.kind === "finished") this.#end = message;
      },
    });
    this.finished = this.#finish();
    this.finished.catch(() => {});
  }

  async start(message: ToKeeper): Promise<void> {
    this.#kept = await unwrapFailure(this.#process.ask(message, "kept"));
    this.server = this.#kept.server;
  }

  get mountpoint(): string {
    return this.#kept!.mountpoint;
  }

  get features(): ReadonlySet<Feature> {
    return new Set(this.#kept!.features);
  }

  get kernelFeatures(): ReadonlySet<Feature> {
    return new Set(this.#kept!.kernelFeatures);
  }

  get minor(): number {
    return this.#kept!.minor;
  }

  get keeper(): number {
    return this.#process.pid;
  }

  async metrics(): Promise<Metrics> {
    const { operations } = await unwrapFailure(this.#process.ask({ kind: "status" }, "status"));
    return operations;
  }

  async restart(): Promise<void> {
    const { server } = await unwrapFailure(this.#process.ask({ kind: "restart" }, "restarted"));
    this.server = server;
  }

  async changeBranches(
    steps: readonly BranchStep[],
    options: RemovalOptions = {},
  ): Promise<Pick<ChangedBranches, "opened">> {
    const { opened } = await unwrapFailure(this.#process.ask({ kind: "change", steps, options }, "changed"));
    return { opened };
  }

  async invalidate(node: number): Promise<void> {
    await unwrapFailure(this.#process.tell({ kind: "invalidate", node }));
  }

  async unmount(): Promise<void> {
    // What has ended by itself is unmounted.
    await this.#process.tell({ kind: "unmount" }).catch(() => {});
    await this.finished.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount();
  }

  async #finish(): Promise<void> {
    const how = await this.#process.ended;
    if (this.#end?.failure !== undefined) throw rebuildFailure(this.#end.failure);
    if (this.#end === undefined) throw new KeeperError(`The keeper (pid ${this.keeper}) ended: ${how}`);
  }
}
