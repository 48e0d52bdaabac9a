/**
 * The keeper: mounts, answers INIT, and holds the connection's descriptors, from which a server process reads requests.
 * It never serves one and never loads the filesystem's module, so that no fault of a filesystem reaches it. When the
 * server dies, a new one gets the same descriptors, and the kernel is asked to send again what was not answered. Where it
 * cannot, the connection is ended and another mounted in its place.
 *
 * Requests belong to the descriptor that they were read from and end with it (fuse_dev_release in fs/fuse/dev.c). That is
 * why the keeper makes all of them, the clones too, before there is a server.
 *
 * The process that this runs in must have nothing of the mount open. It starts servers by fork and exec; exec closes the
 * copies of open files, and closing one asks the mount's server, which is the process being started: both would wait for
 * ever.
 */
import { openLibc } from "../../ffi/library.ts";
import { KeeperGuard } from "../guards/keeper_guard.ts";
import type { Connection } from "../connection/connection.ts";
import { spellMountpoint } from "../connection/mount_table.ts";
import type { Feature } from "../connection/features.ts";
import type { Agreement } from "../connection/handshake.ts";
import type { BranchStep, ChangedBranches, RemovalOptions, TreeHistory } from "../fs/branches.ts";
import type { Agreed, KeptDescriptors } from "../fs/module.ts";
import { createDescriptorStore } from "../kept/descriptor_store.ts";
import { createKept } from "../kept/kept_memory.ts";
import type { JournalSlot } from "../kept/journal.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { ReplyDefaults } from "../protocol/reply.ts";
import { RestartBudget } from "../threads/restart_budget.ts";
import { type BegunServer, takeServer } from "./begun_server.ts";
import { departure } from "./departure.ts";
import { ProcessLost } from "./framed_process.ts";
import { clearSlots, readSlots, sendLastAnswers } from "./recovery.ts";
import { HangWatch } from "./hang_watch.ts";
import { HeldConnection, type HeldMount } from "./held_connection.ts";
import { KeeperError, type KeptMount, type ServerState } from "./kept_mount.ts";
import { ProcessFailure, unwrapFailure } from "./failure.ts";
import { countIsolates, type FromServer, type ServedModule, VERSION } from "./messages.ts";
import type { ServerProcess } from "./server_process.ts";
import { ServerStarter } from "./server_starter.ts";

/** How long an unmounted server may take to end, in milliseconds; then it is told to, and after as long again killed. */
const GRACE_MILLISECONDS = 1_000;

/** How long a server that was told to stop may go on with what it serves, in milliseconds; then it is killed. */
const STOP_MILLISECONDS = 10_000;

/** The least time in seconds that a server has to get ready: a process has to begin, on a machine that may be busy. */
const READY_SECONDS = 30;

const LONGEST_LOOK_PERIOD = 10_000;

/** What is kept. */
export interface KeeperOptions extends Omit<HeldMount, "readers"> {
  readonly served: ServedModule;
  readonly defaults: ReplyDefaults;
  readonly debug: boolean;
  /** How many servers that died are replaced within a minute. */
  readonly restarts: number;
  /** Seconds after which a server counts as hung. */
  readonly hangTimeout: number;
  /** Whether the next server waits already. */
  readonly spare: boolean;
  readonly log: (message: string, detail: string) => void;
}

/** Another server must not begin beside it: what it is at may still be done, and would be done twice. */
const UNKILLABLE = "a system call of its filesystem waits in the kernel, for a disk or another filesystem, where no " +
  "signal reaches it (state D): the mount waits with it";

export class Keeper implements KeptMount {
  readonly mountpoint: string;
  readonly keeper = Deno.pid;
  readonly finished: Promise<void>;
  /** Told when another server serves. */
  onServer: (server: ServerState) => void = () => {};
  /** Told when another connection is mounted. */
  onMountedAnew: () => Promise<void> = () => Promise.resolve();
  readonly #options: KeeperOptions;
  readonly #budget: RestartBudget;
  /** What the filesystem itself has, whichever the connection. */
  readonly #file = createKept("trellis-file");
  /** What is open beside the mount, and closed before `finished` settles. */
  readonly #resources = new AsyncDisposableStack();
  /** Outlives this process, and takes the mount away. */
  readonly #guard: KeeperGuard;
  #starter: ServerStarter;
  #held: HeldConnection;
  #server: ServerProcess;
  /** Resolves to how it ended, in words, when another may begin. */
  #departure: Promise<string>;
  /** What the isolates of the last server were at work on when it ended. */
  #interrupted: (number | null)[] = [];
  /** What the first server's filesystem had. */
  #agreed: Agreed | undefined;
  /** What the tree has become. */
  #tree: TreeHistory | undefined;
  /** What the last server's filesystem and the kernel agreed on. */
  #agreement: Agreement | undefined;
  /** Resolves when a server serves, and rejects when there will be none. */
  #serving = Promise.withResolvers<void>();
  /** Whether that has been resolved. */
  #isServing = false;
  /** How many servers there were before this one. */
  #restarts = 0;
  /** How often another connection took the place of one. */
  #mountedAnew = 0;
  /** Why the server ends, when it said so; a crash says nothing. */
  #stopping: "unmounted" | "aborted" | "stopped" | undefined;
  /** Set by who wants the mount to end. */
  #ending = false;
  /** Set by who wants another server, and not by one that died. */
  #replacing = false;

  private constructor(options: KeeperOptions, guard: KeeperGuard, starter: ServerStarter, held: HeldConnection) {
    this.#options = options;
    this.#guard = guard;
    this.mountpoint = options.mountpoint;
    this.#budget = new RestartBudget(options.restarts);
    this.#held = held;
    this.#starter = starter;
    starter.onMessage = (message) => this.#hear(message);
    this.#server = this.#starter.start();
    this.#departure = departure(this.#server);
    this.finished = this.#keep().finally(() => this.#close());
    // Awaiting `finished` is the caller's choice.
    this.finished.catch(() => {});
  }

  /**
   * Mounts, and returns when a server serves.
   *
   * @throws {MountError} @throws {ProcessFailure} what the module threw. @throws {KeeperError} when no server would live.
   */
  static async start(options: KeeperOptions): Promise<Keeper> {
    const guard = KeeperGuard.start(options.mountpoint, spellMountpoint(options.mountpoint));
    const { store, server } = takeServer();
    const starter = makeStarter(options, guard, store, server);
    const held = await mountWatched(options, guard, store).catch(async (error) => {
      await starter.dropSpare();
      await guard[Symbol.asyncDispose]();
      throw error;
    });
    const keeper = new Keeper(options, guard, starter, held);
    // Without a server `finished` says why.
    await keeper.#whileServing().catch(() => keeper.finished);
    return keeper;
  }

  get connection(): Connection {
    return this.#held.connection;
  }

  get features(): ReadonlySet<Feature> {
    return this.#agreement!.features;
  }

  get kernelFeatures(): ReadonlySet<Feature> {
    return this.#held.offer.features;
  }

  get minor(): number {
    return this.#agreement!.minor;
  }

  get server(): ServerState {
    return { pid: this.#server.pid, restarts: this.#restarts, mountedAnew: this.#mountedAnew };
  }

  async metrics(): Promise<Metrics> {
    await this.#whileServing();
    const { operations } = await this.#server.ask({ kind: "status" }, "status");
    return operations;
  }

  async invalidate(node: number): Promise<void> {
    await this.#whileServing();
    await this.#server.tell({ kind: "invalidate", node });
  }

  async changeBranches(
    steps: readonly BranchStep[],
    { lazy = false }: RemovalOptions = {},
  ): Promise<Pick<ChangedBranches, "opened">> {
    for (let last = false;; last = true) {
      await this.#whileServing();
      const server = this.#server;
      try {
        const { opened, tree } = await unwrapFailure(server.ask({ kind: "change", steps, lazy }, "changed"));
        this.#tree = tree;
        return { opened };
      } catch (error) {
        // The next server has the tree as it was. It makes the change, so that the kernel is told of all that changes.
        if (!(error instanceof ProcessLost || this.#replacing)) throw error;
        if (last) {
          throw new KeeperError(`Cannot change the branches of ${this.mountpoint}: two servers ended over it`);
        }
        if (server === this.#server) this.#serveNoMore();
      }
    }
  }

  async restart(): Promise<void> {
    await this.#whileServing();
    this.#replacing = true;
    this.#serveNoMore();
    await this.#starter.dropSpare();
    const server = this.#server;
    const late = setTimeout(() => server.kill(), STOP_MILLISECONDS);
    try {
      await server.tell({ kind: "stop" }).catch(() => {});
      await this.#whileServing();
    } finally {
      clearTimeout(late);
    }
  }

  async unmount(): Promise<void> {
    this.#ending = true;
    await this.connection.unmount();
    const grace = setTimeout(() => void this.#server.tell({ kind: "stop" }).catch(() => {}), GRACE_MILLISECONDS);
    const last = setTimeout(() => this.#server.kill(), 2 * GRACE_MILLISECONDS);
    // Why it could not go on is for `finished` to say.
    await this.finished.catch(() => {});
    clearTimeout(grace);
    clearTimeout(last);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount();
  }

  /** Takes what has to be closed when the mount is gone; closes it now when that has been. */
  async own(resources: AsyncDisposable): Promise<void> {
    if (this.#resources.disposed) await resources[Symbol.asyncDispose]();
    else this.#resources.use(resources);
  }

  /** Waits for a server that serves. @throws {KeeperError} when there will be none. */
  async #whileServing(): Promise<void> {
    // Not in a race with `finished`, which would keep what each waited with for as long as the mount lives.
    await this.#serving.promise;
  }

  /** From here on who waits for a server waits for the next one; and so does who has been waiting. */
  #serveNoMore(): void {
    if (this.#isServing) this.#serving = Promise.withResolvers();
    this.#isServing = false;
  }

  /** The mount is gone, and there will be no server. */
  #serveNever(): void {
    this.#serveNoMore();
    this.#serving.promise.catch(() => {});
    this.#serving.reject(new KeeperError(`${this.mountpoint} is not mounted any more`));
  }

  /** The mount is gone. What cannot be closed is a log line: why it ended is for `finished` to say. */
  async #close(): Promise<void> {
    this.#serveNever();
    try {
      await this.#resources.disposeAsync();
    } catch (error) {
      this.#options.log(`Something of ${this.mountpoint} could not be closed after its unmount`, String(error));
    }
  }

  #hear(message: FromServer): void {
    if (message.kind === "log") this.#options.log(message.message, message.detail);
    if (message.kind === "stopping") this.#stopping = message.reason;
  }

  /** One server after the other, until the mount is gone. */
  async #keep(): Promise<void> {
    try {
      for (; !this.#ending; await this.#replace()) {
        await this.#serveOnce();
        if (this.#isOver()) break;
      }
    } finally {
      this.#ending = true;
      this.#server.kill();
      await Promise.all([this.#departure, this.#starter.dropSpare()]);
      await this.connection.unmount().finally(() => {
        this.#held[Symbol.dispose]();
        openLibc().symbols.close(this.#file);
        return this.#guard[Symbol.asyncDispose]();
      });
    }
  }

  /** From the server's start to its end, whichever it is. */
  async #serveOnce(): Promise<void> {
    try {
      await this.#withinLimit(() => this.#begin());
      this.#isServing = true;
      this.#serving.resolve();
      this.onServer(this.server);
      if (this.#options.spare && this.#held.canResend) this.#starter.prepareSpare();
      await this.#watch();
    } catch (error) {
      // A module that fails when the mount begins would fail again.
      if (error instanceof ProcessFailure && this.#agreement === undefined) throw error;
      if (!(error instanceof ProcessLost || error instanceof ProcessFailure)) throw error;
      if (error instanceof ProcessFailure) this.#options.log("A server could not begin", error.message);
    }
    await this.#departure;
  }

  /** A server that does not get ready is ended. */
  async #withinLimit(begin: () => Promise<void>): Promise<void> {
    const limit = Math.max(this.#options.hangTimeout, READY_SECONDS);
    const late = setTimeout(() => this.#endHung(`it was not ready after ${limit} s`), limit * 1000);
    try {
      await begin();
    } finally {
      clearTimeout(late);
    }
  }

  /** Looks after the server until it has ended, and ends it when it hangs. */
  async #watch(): Promise<void> {
    const limit = this.#options.hangTimeout * 1000;
    const slots = () => this.#readSlots();
    const watch = new HangWatch(limit, slots(), performance.now());
    const timer = setInterval(() => {
      // The end of the connection is also for the server to read: one that hangs would stay, and the keeper with it.
      const pending = this.connection.hasPending() || this.connection.hasEnded();
      const hung = watch.look(slots(), pending, performance.now());
      if (hung === undefined) return;
      clearInterval(timer);
      this.#endHung(hung);
    }, this.#lookPeriod);
    await this.#departure.finally(() => clearInterval(timer));
  }

  #endHung(reason: string): void {
    const server = this.#server;
    const name = `The server of ${this.mountpoint} (pid ${server.pid})`;
    this.#options.log(`${name} hangs, and is ended`, reason);
    server.kill();
    const limit = Math.min(STOP_MILLISECONDS, this.#options.hangTimeout * 1000);
    const late = setTimeout(() => this.#options.log(`${name} cannot be ended`, UNKILLABLE), limit);
    void this.#departure.finally(() => clearTimeout(late));
  }

  async #begin(): Promise<void> {
    const { served, mountpoint, defaults, debug } = this.#options;
    const { devices, kept, canResend } = this.#held;
    const mountedDevice = this.connection.mountedDevice ?? "";
    const { methods, features, maxWrite: longest } = await this.#server.start({
      ...{ kind: "start", version: VERSION, served, mountpoint, mountedDevice, defaults, debug },
      ...{ devices, kept, resumes: canResend, file: this.#file },
      history: {
        ...{ restarts: this.#restarts, interrupted: this.#interrupted },
        ...this.#agreed && { agreed: this.#agreed },
        ...this.#tree && { tree: this.#tree },
      },
    });
    this.#agreed ??= { methods, features };
    const { minor, maxWrite, features: agreed } = this.#agreement = this.#held.agree(methods, features, longest);
    // What was interrupted is settled. A loop that this server leaves at rest would name it again to the next one.
    clearSlots(kept.journal);
    const heartbeat = this.#lookPeriod;
    await this.#server.ask({ kind: "serve", minor, maxWrite, features: [...agreed], heartbeat }, "serving");
  }

  /** How often the server is looked after, in milliseconds: seldom, since that wakes an idle keeper and its handlers. */
  get #lookPeriod(): number {
    return Math.min(LONGEST_LOOK_PERIOD, this.#options.hangTimeout * 1000 / 4);
  }

  #readSlots(): JournalSlot[] {
    return readSlots(this.#held.kept.journal, countIsolates(this.#options.served));
  }

  #isOver(): boolean {
    const reason = this.#stopping;
    return this.#ending || reason === "unmounted" || reason === "aborted" || this.connection.hasEnded();
  }

  /** @throws {KeeperError} when it has happened too often, or the mount cannot be made anew. */
  async #replace(): Promise<void> {
    const how = await this.#departure;
    if (!this.#replacing) this.#spend(how);
    this.#serveNoMore();
    this.#replacing = false;
    const slots = this.#readSlots();
    this.#interrupted = slots.map(({ begun }) => begun ?? null);
    sendLastAnswers(slots, this.#held.devices);
    const { placement, readers } = this.#options.served;
    // What handlers serve is in no such table.
    this.#held.settle(placement === "loop" ? this.#interrupted.slice(0, readers) : []);
    // Before the new one reads: what it is serving would be sent twice.
    if (!this.#held.resend()) await this.#mountAnew();
    if (this.#ending) return;
    this.#restarts++;
    this.#stopping = undefined;
    this.#server = this.#starter.start();
    this.#departure = departure(this.#server);
  }

  /** Takes the death of a server out of the budget. */
  #spend(how: string): void {
    const ended = `The server of ${this.mountpoint} (pid ${this.#server.pid}) ended`;
    if (!this.#budget.spend()) {
      const most = this.#options.restarts + 1;
      throw new KeeperError(`${ended} (${how}), number ${most} within a minute: the mount is taken away`);
    }
    this.#options.log(`${ended}; another takes its place`, how);
  }

  /**
   * Ends the connection, so that nobody waits for ever for what cannot be sent again, and mounts another in its place. It
   * ends with its last descriptor, which needs neither root nor /sys/fs/fuse/connections. For a moment nothing is mounted:
   * over the old mount there can be none, since libfuse and fusermount3 look at what they mount on (stat), which would
   * wait for a server.
   */
  async #mountAnew(): Promise<void> {
    const old = this.#held;
    // What somebody has taken out of the tree, while it was in use, is not to come back.
    if (!await old.connection.isMounted()) return void (this.#ending = true);
    try {
      await Promise.all([old.connection.unmount(), this.#starter.dropSpare()]);
      const store = createDescriptorStore();
      this.#starter = makeStarter(this.#options, this.#guard, store);
      this.#starter.onMessage = (message) => this.#hear(message);
      this.#held = await mountWatched(this.#options, this.#guard, store);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new KeeperError(`${this.mountpoint} could not be mounted anew for another server: ${reason}`);
    } finally {
      old[Symbol.dispose]();
    }
    this.#mountedAnew++;
    this.#interrupted = [];
    this.#options.log(
      `${this.mountpoint} was mounted anew: what was open or under way there gets errors (ENOTCONN, ECONNABORTED)`,
      this.#held.canResend ? "" : "this kernel cannot send requests again to another server (Linux 6.9 can)",
    );
    await this.onMountedAnew();
  }
}

/** Of servers for a connection that is to be mounted: one loads its code meanwhile, which is `first` if that has begun. */
function makeStarter(
  { served }: KeeperOptions,
  guard: KeeperGuard,
  store: KeptDescriptors | undefined,
  first?: BegunServer,
): ServerStarter {
  const starter = new ServerStarter({ served, store, onProcesses: (pids) => guard.watchServers(pids) }, first);
  starter.prepareSpare();
  return starter;
}

/** Mounts, and has `guard` watch over it. @throws {MountError} */
async function mountWatched(
  options: KeeperOptions,
  guard: KeeperGuard,
  store: KeptDescriptors | undefined,
): Promise<HeldConnection> {
  const held = await HeldConnection.mount({ ...options, readers: options.served.readers }, store);
  guard.watchMount(held.connection.mountedDevice ?? "");
  return held;
}
