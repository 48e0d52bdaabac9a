/** Placement "loop" of a module: each loop loads it, and answers in its own thread. */
import type { NotifyHandler } from "../channels/notify_handler.ts";
import type { TreeHistory } from "../fs/branches.ts";
import type { FileSystemModule } from "../fs/module.ts";
import type { LimitOptions } from "../handler/limits.ts";
import type { OpenedKeptState } from "../kept/kept_state.ts";
import { readMetrics } from "../metrics/metrics.ts";
import type { Server } from "../session.ts";
import { LoopWorker } from "../session/loop_worker.ts";
import { MAX_FORWARDED_WRITE } from "../transport/forwarding.ts";
import type { LoopBranches } from "./loop_branches.ts";
import type { HandlersBesideLoops, HandlersOptions } from "./handlers_beside_loops.ts";
import type { EndReason, LoopStart } from "../messages.ts";
import { type MadeBranch, makeLaterBranch, partOfLater } from "./later_branch.ts";
import { nextTurn } from "../threads/turns.ts";
import { checkCount, checkCounts, type Logger, type Servers } from "./placement.ts";

/** A filesystem that every loop loads for itself (placement "loop"); see {@linkcode FileSystemModule}. */
export interface LoopPlacement {
  /** The module's URL. */
  readonly module: URL | string;
  /** That its methods answer at once. The default. */
  readonly placement?: "loop";
  /** For the module's functions; must survive a structured clone. */
  readonly options?: unknown;
  /**
   * How many loops serve the mount, from 1 to 16. Default 1. The first has made its filesystem when `mount` resolves; the
   * others join it then, and what one of them throws ends the mount (`Session.finished`).
   */
  readonly loops?: number;
  /**
   * Handlers beside the loops, each an async worker of its own with these limits, which loads the module too. What a method
   * in a loop answers with `throw new Elsewhere(n)` goes to handler n, and nobody waits for it but who asked. Default: none.
   */
  readonly handlers?: readonly LimitOptions[];
  /**
   * Whether handlers may come with branches that are grafted while mounted (`session.graft`) where there are none at first:
   * requests are then of at most 128 KiB. Default: they may where there are `handlers`.
   */
  readonly handlersLater?: boolean;
}

/**
 * Starts the first loop, and waits until it has made its filesystem: one is enough to serve. The others come when the mount
 * is live, for to start a thread stops this one for 20 ms. `kept` is what outlives a server that has a keeper.
 */
export async function startLoops(
  { module, options, loops: count = 1, handlers = [], handlersLater = handlers.length > 0 }: LoopPlacement,
  notifications: NotifyHandler,
  log: Logger,
  resources: AsyncDisposableStack,
  kept?: OpenedKeptState,
): Promise<Servers> {
  checkCount(count, "loops");
  if (handlers.length > 0) checkCount(handlers.length, "handlers");
  // Disposed of in the reverse order: what the loops share goes after the loops.
  const underLoops = resources.use(new AsyncDisposableStack());
  const href = String(module);
  // Starting a thread takes longer than all else here, so that comes first.
  const loops = Array.from({ length: count }, (_, loop) => new LoopWorker(loop, href));
  const [first] = loops as [LoopWorker];
  first.begin();
  for (const loop of loops) resources.use(loop).onLog = ({ message, detail }) => log(message, detail);
  // Where a keeper holds the mount none come later.
  const earlier = handlers.length > 0 ? kept?.countWorkers() : undefined;
  const beside = (handlersLater && kept === undefined) || handlers.length > 0
    ? resources.use(await startBeside({ module: href, options, handlers, loops: count, notifications, log, earlier }))
    : undefined;
  const all = count + handlers.length;
  const { prepare, release, releaseBranch } = await import(href) as FileSystemModule;
  const shared = await prepare?.(options, all, kept);
  underLoops.defer(() => release?.(shared));
  const later = await makeLater(count, kept);
  kept?.settle();
  const start = { options, shared, loops: all, ...kept && sinceFirst(kept, later) };
  await Promise.all([
    first.prepare(start),
    beside?.prepare(shared, kept?.agreed),
  ]);
  const { ready } = first;
  checkCounts(ready, count, "loops");
  const servers = makeServers({ loops, start, notifications, beside });
  const limits = beside === undefined ? {} : { maxWrite: MAX_FORWARDED_WRITE, handsOn: true };
  const branches = ready.branches === undefined ? { why: "its filesystem is no tree of branches" } : underLoops.use(
    await makeBranches({
      ...{ loops, beside, notifier: notifications.notifier, log, kept, later },
      points: ready.branches,
      releaseFirst: (path) => releaseBranch?.(shared, path, kept),
    }),
  );
  if ("begin" in branches) await branches.begin();
  return {
    placement: "loop",
    servers,
    readMetrics: () => readMetrics([...loops.map(({ metrics }) => metrics), ...beside?.metrics ?? []]),
    ...ready,
    ...limits,
    branches,
  };
}

/** What serves with each loop. The first, which is ready, is to be called first. */
function makeServers({ loops, start, notifications, beside }: {
  readonly loops: readonly LoopWorker[];
  readonly start: Parameters<LoopWorker["prepare"]>[0];
  readonly notifications: NotifyHandler;
  readonly beside: HandlersBesideLoops | undefined;
}): Server[] {
  const over = Promise.withResolvers<EndReason>();
  over.promise.catch(() => {});
  return loops.map((worker, loop): Server => (settings) => {
    const sender = notifications.openSender();
    const ways = beside?.waysOf(loop);
    const serve = () => worker.serve(settings, sender, ways);
    const prepare = () => worker.prepare(start);
    const isFirst = loop === 0;
    const end = isFirst ? serve() : serveLater(prepare, serve, over.promise);
    if (isFirst) over.resolve(end);
    return beside === undefined ? end : beside.serveBeside(loop, settings, end);
  });
}

/**
 * Has a loop begin when whoever mounts was told that the mount is live, and serve; or not, when the mount is `over` before
 * it can.
 */
async function serveLater(
  prepare: () => Promise<void>,
  serve: () => Promise<EndReason>,
  over: Promise<EndReason>,
): Promise<EndReason> {
  await nextTurn();
  const reason = await Promise.race([prepare(), over]);
  return reason ?? await serve();
}

/** Few mounts have handlers beside their loops: only those load them. */
async function startBeside(options: HandlersOptions): Promise<HandlersBesideLoops> {
  const { HandlersBesideLoops } = await import("./handlers_beside_loops.ts");
  return new HandlersBesideLoops(options);
}

/** Only trees load what changes their branches. */
async function makeBranches(parts: ConstructorParameters<typeof LoopBranches>[0]): Promise<LoopBranches> {
  const { LoopBranches } = await import("./loop_branches.ts");
  return new LoopBranches(parts);
}

/** The branches that came to the tree under servers before this one. What one throws ends this server. */
async function makeLater(loops: number, kept: OpenedKeptState | undefined): Promise<MadeBranch[]> {
  const made: MadeBranch[] = [];
  if (kept?.tree !== undefined) freeLater(kept, kept.tree);
  for (const branch of kept?.tree?.added ?? []) made.push(await makeLaterBranch(branch, loops, kept));
  return made;
}

/** What a server kept of branches that went lazily, and that ended before their last file was closed. */
function freeLater(kept: OpenedKeptState, { added, generations }: TreeHistory): void {
  for (const [id, last] of generations) {
    for (let generation = 0; generation <= last; generation++) {
      const isThere = added.some((branch) => branch.id === id && branch.generation === generation);
      if (!isThere) partOfLater(kept, { id, generation }).free();
    }
  }
}

/** What loops are told of the servers before theirs. */
function sinceFirst({ restarts, agreed, tree }: OpenedKeptState, later: readonly MadeBranch[]): Partial<LoopStart> {
  if (tree === undefined) return { restarts, agreed };
  const added = later.map(({ release: _, ...branch }) => branch);
  const { removed } = tree;
  // One after the other, for an id may be another branch's now.
  const changes = [{ removed, added: [], numbers: new Map(tree.numbers) }, { removed: [], added }];
  return { restarts, agreed, changes };
}
