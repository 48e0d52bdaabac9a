/** Placement "loop" of a module: each loop loads it, and answers in its own thread. */
import type { NotifyHandler } from "../channels/notify_handler.ts";
import type { FileSystemModule } from "../fs/module.ts";
import { readMetrics } from "../metrics/metrics.ts";
import type { Server } from "../session.ts";
import { LoopWorker } from "../session/loop_worker.ts";
import { checkCount, checkCounts, type Logger, type Servers } from "./placement.ts";

/** A filesystem that every loop loads for itself (placement "loop"); see {@linkcode FileSystemModule}. */
export interface LoopPlacement {
  /** The module's URL. */
  readonly module: URL | string;
  readonly placement?: "loop";
  /** For the module's functions; must survive a structured clone. */
  readonly options?: unknown;
  /** How many loops serve the mount, from 1 to 16. Default 1. */
  readonly loops?: number;
}

/** Starts the workers and waits until each has made its filesystem. */
export async function startLoops(
  { module, options, loops: count = 1 }: LoopPlacement,
  notifications: NotifyHandler,
  log: Logger,
  resources: AsyncDisposableStack,
): Promise<Servers> {
  checkCount(count, "loops");
  // Disposed of in the reverse order: what the loops share goes after the loops.
  const underLoops = resources.use(new AsyncDisposableStack());
  // Starting a thread takes longer than all else here, so that comes first.
  const loops = Array.from({ length: count }, (_, loop) => resources.use(new LoopWorker(loop)));
  loops.forEach((loop) => loop.onLog = ({ message, detail }) => log(message, detail));
  const href = String(module);
  const { prepare, release } = await import(href) as FileSystemModule;
  const shared = await prepare?.(options, count);
  underLoops.defer(() => release?.(shared));
  await Promise.all(loops.map((worker, loop) => worker.prepare({ module: href, options, shared, loop, loops: count })));
  const { ready } = loops[0]!;
  checkCounts(ready, count, "loops");
  const servers = loops.map((loop): Server => (settings) => loop.serve(settings, notifications.openSender()));
  const blocks = loops.map(({ metrics }) => metrics);
  return { placement: "loop", servers, readMetrics: () => readMetrics(blocks), ...ready };
}
