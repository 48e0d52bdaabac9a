/** Placement "handler" of a module: workers load it, and each serves with an event loop of its own. */
import type { NotifyHandler } from "../channels/notify_handler.ts";
import type { FileSystemModule } from "../fs/module.ts";
import type { Limits } from "../handler/limits.ts";
import { HandlerPool } from "../handler/pool.ts";
import type { OpenedKeptState } from "../kept/kept_state.ts";
import { checkCount, checkCounts, type Logger, type Servers } from "./placement.ts";

/** A filesystem that handler workers load for themselves (placement "handler"); see {@linkcode FileSystemModule}. */
export interface HandlerPlacement {
  /** The module's URL. */
  readonly module: URL | string;
  /** That its methods may be async. */
  readonly placement: "handler";
  /** For the module's functions; must survive a structured clone. */
  readonly options?: unknown;
  /**
   * How many workers serve the mount, from 1 to 16. Default 1. More than one is for a filesystem whose state can be shared
   * out, for any request may come to any of them; it counts lookups itself, with `forgetLookups`.
   */
  readonly workers?: number;
}

/** Starts the workers and waits until each has made its filesystem. `kept`: where a keeper holds the mount. */
export async function startWorkers(
  { module, options, workers = 1 }: HandlerPlacement,
  notifications: NotifyHandler,
  limits: Limits,
  log: Logger,
  resources: AsyncDisposableStack,
  kept?: OpenedKeptState,
): Promise<Servers> {
  checkCount(workers, "workers");
  // Disposed of in the reverse order: what the workers share goes after the workers.
  const underWorkers = resources.use(new AsyncDisposableStack());
  const href = String(module);
  const pool = resources.use(
    new HandlerPool({
      ...{ start: { module: href, options }, workers, limits, notifications, log },
      earlier: kept?.countWorkers(),
    }),
  );
  const { prepare, release } = await import(href) as FileSystemModule;
  const shared = await prepare?.(options, workers, kept);
  underWorkers.defer(() => release?.(shared));
  kept?.settle();
  const ready = await pool.prepare(shared, false, kept?.agreed);
  checkCounts(ready, workers, "workers");
  return {
    placement: "handler",
    servers: [(settings) => pool.serve(settings)],
    readMetrics: () => pool.readMetrics(),
    open: (attach) => pool.open(attach),
    methods: ready.methods,
    features: ready.features,
    branches: { why: 'handler workers serve it; use placement "loop"' },
  };
}
