/** Placement "handler" of an object: the isolate that made it serves. */
import type { NotifyHandler } from "../channels/notify_handler.ts";
import { describeThrown } from "../fs/errors.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import { Handler } from "../handler/handler.ts";
import type { Limits } from "../handler/limits.ts";
import { Watcher } from "../handler/watcher.ts";
import { MetricsRecorder } from "../metrics/metrics.ts";
import type { Log } from "../protocol/dispatch.ts";
import { methodsOf } from "../session/methods.ts";
import type { Logger, Servers } from "./placement.ts";

export function serveObject(
  filesystem: FileSystem,
  notifications: NotifyHandler,
  limits: Limits,
  logger: Logger,
  resources: AsyncDisposableStack,
): Servers {
  const watcher = resources.use(new Watcher());
  const metrics = new MetricsRecorder();
  const log: Log = (message, error) => logger(message, describeThrown(error));
  const { notifier } = notifications;
  const retrieved = (unique: number, data: Uint8Array) => notifications.retrieved(unique, data.slice());
  const parts = { filesystem, watcher, limits, metrics, notifier, retrieved, log };
  return {
    placement: "handler",
    servers: [(settings) => new Handler({ ...parts, settings }).serve()],
    readMetrics: () => metrics.read(),
    methods: methodsOf(filesystem),
    features: filesystem.features ?? [],
    branches: { why: "it is an object of this isolate; change that itself, with its own graft, prune and replace" },
  };
}
