/**
 * Entry point of a handler worker: makes its filesystem, says what it has, then serves until the mount ends. Its event
 * loop goes on beside the requests.
 */
import { ChannelNotifier } from "../channels/channel_notifier.ts";
import { describeThrown } from "../fs/errors.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import { loadModule } from "../fs/load_module.ts";
import { Handler } from "../handler/handler.ts";
import type { Limits } from "../handler/limits.ts";
import { processTime } from "../threads/process_clock.ts";
import { RemoteNotifications } from "../handler/remote_notifications.ts";
import { TakenRequests } from "../handler/taken_requests.ts";
import { Watcher } from "../handler/watcher.ts";
import type { FromHandler, HandlerServe, HandlerStart, ToHandler } from "../handler/worker_messages.ts";
import { Journal } from "../kept/journal.ts";
import { MetricsRecorder } from "../metrics/metrics.ts";
import type { Log } from "../protocol/dispatch.ts";
import { LoopCommandTaker } from "../session/loop_commands.ts";
import { methodsOf, needsCounts } from "../session/methods.ts";

declare const self: {
  onmessage: (event: MessageEvent<ToHandler>) => void;
  addEventListener<Type extends "error" | "unhandledrejection">(
    type: Type,
    listener: (event: { error: ErrorEvent; unhandledrejection: PromiseRejectionEvent }[Type]) => void,
  ): void;
  postMessage(message: FromHandler): void;
  close(): void;
};

/** What is served, by how many and how, once `start` has come. */
let made: { filesystem: FileSystem; limits: Limits; worker: number; workers: number } | undefined;
let commands: LoopCommandTaker | undefined;
/** Set once `serve` has come. */
let handler: Handler | undefined;

const notifications = new RemoteNotifications((message) => self.postMessage(message));
const close = self.close.bind(self);
// Whatever ends this worker is told to the mounting isolate, which would hear of an exception, though not of its stack, but
// not of a module that ends its worker.
self.addEventListener("error", (event) => {
  event.preventDefault();
  fail(event.error);
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(event.reason);
});
self.close = () => fail(new Error("The module closed its worker"));
Deno.exit = (code) => fail(new Error(`The module called Deno.exit(${code ?? ""})`)) as never;

self.onmessage = ({ data }) => {
  switch (data.kind) {
    case "start":
      return void prepare(data).catch(fail);
    case "serve":
      return void serve(data).catch(fail);
    case "interrupt":
      return handler?.interrupt(data.uniqueLower, data.uniqueUpper);
    case "notified":
      return notifications.settle(data);
    case "command":
      commands!.receive(data);
      return void commands!.takeOne();
  }
};

function fail(error: unknown): void {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  self.postMessage({ kind: "failed", message, stack });
  close();
}

/** This thread, as in /proc/self/task. */
const thread = Deno.readLinkSync("/proc/thread-self").split("/").at(-1)!;

async function prepare(start: HandlerStart): Promise<void> {
  const { module, options, worker, workers, restarts, shared, agreed, limits, handler } = start;
  const make = await loadModule(module);
  const filesystem = make(options, {
    loop: worker,
    loops: workers,
    restarts,
    shared,
    agreed,
    ...handler !== undefined && { handler },
  });
  made = { filesystem, limits, worker, workers };
  commands = new LoopCommandTaker({ filesystem, loop: worker, handler, post: (message) => self.postMessage(message) });
  const { features = [] } = filesystem;
  const methods = methodsOf(filesystem);
  self.postMessage({ kind: "ready", methods, features, needsCounts: needsCounts(filesystem), thread });
}

async function serve({ settings, memory, forwarded, rally }: HandlerServe): Promise<void> {
  const { filesystem, limits, worker, workers } = made!;
  using watcher = new Watcher(memory.watch, rally);
  const log: Log = (message, error) => self.postMessage({ kind: "log", message, detail: describeThrown(error) });
  handler = new Handler({
    filesystem,
    settings,
    watcher,
    limits,
    log,
    metrics: new MetricsRecorder(memory.metrics, forwarded !== undefined),
    notifier: new ChannelNotifier(notifications),
    retrieved: (unique, data) => self.postMessage({ kind: "retrieved", unique, data: data.slice() }),
    taken: new TakenRequests(memory.taken, processTime() - performance.now()),
    buffer: memory.buffer,
    journal: settings.journal && new Journal(settings.journal, worker),
    forwarded,
    interruptElsewhere: workers === 1
      ? undefined
      : (uniqueLower, uniqueUpper) => self.postMessage({ kind: "interrupt", uniqueLower, uniqueUpper }),
  });
  const reason = await handler.serve();
  self.postMessage({ kind: "ended", reason, held: filesystem.branches?.held });
  close();
}
