/** Entry point of a loop worker: makes its filesystem, says what it has, then serves until the mount ends. */
import { openLibc } from "../../ffi/library.ts";
import { loopNotifier } from "../channels/channel_notifier.ts";
import { describeThrown } from "../fs/errors.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import { loadModule } from "../fs/load_module.ts";
import { Journal } from "../kept/journal.ts";
import type { EndReason, FromLoop, LoopServe, LoopStart, ToLoop } from "../messages.ts";
import { MetricsRecorder } from "../metrics/metrics.ts";
import type { Log } from "../protocol/dispatch.ts";
import { type LoopOptions, makeDeviceLoop } from "../session/loop.ts";
import { LoopCommandTaker } from "../session/loop_commands.ts";
import { methodsOf, needsCounts } from "../session/methods.ts";
import { makeUringLoop } from "../session/uring_loop.ts";
import { RequestForwarder } from "../transport/forwarding.ts";

declare const self: {
  onmessage: (event: MessageEvent<ToLoop>) => void;
  postMessage(message: FromLoop): void;
  close(): void;
};

/** What is served, and as which of how many loops, once `start` has come. */
let filesystem: FileSystem | undefined;
let place = { loop: 0, loops: 1 };
let commands: LoopCommandTaker | undefined;
/** The ways to handlers, once it serves. */
let forwarder: RequestForwarder | undefined;

self.onmessage = async ({ data }) => {
  try {
    if (data.kind === "load") await import(data.module);
    else if (data.kind === "start") await prepare(data);
    else if (data.kind === "serve") await serve(data);
    else commands!.receive(data);
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    self.postMessage({ kind: "failed", message, stack });
    self.close();
  }
};

async function prepare(start: LoopStart): Promise<void> {
  const { module, options, loop, loops, shared, restarts, agreed, changes = [] } = start;
  const make = await loadModule(module);
  place = { loop, loops };
  filesystem = make(options, { ...place, shared, agreed, ...restarts !== undefined && { restarts } });
  const { features = [] } = filesystem;
  commands = new LoopCommandTaker({
    filesystem,
    loop,
    get forwarder() {
      return forwarder;
    },
    post: (message) => self.postMessage(message),
  });
  const methods = methodsOf(filesystem);
  const branches = filesystem.branches?.points;
  for (const change of changes) await commands.change(change);
  self.postMessage({
    kind: "ready",
    methods,
    features,
    needsCounts: needsCounts(filesystem),
    ...branches && { branches },
  });
}

/** Blocks this thread from here on, but for commands and `destroy`. */
async function serve({ settings, notifications, forwarding, metrics: block, call }: LoopServe): Promise<void> {
  const { minor, features, maxWrite } = settings;
  const libc = openLibc();
  const journal = settings.journal && new Journal(settings.journal, place.loop);
  const noteProgress = journal && (() => journal.advance());
  // Which may take long itself: what the server before was at is done to the end.
  filesystem!.initialize?.({ minor, features, maxWrite, notifier: loopNotifier(notifications), noteProgress });
  const log: Log = (message, error) => self.postMessage({ kind: "log", message, detail: describeThrown(error) });
  const metrics = new MetricsRecorder(block);
  forwarder = forwarding && new RequestForwarder(libc, forwarding, maxWrite);
  const parts = { filesystem: filesystem!, settings, libc, metrics, log, forwarder, journal, call, loop: place.loop };
  const reason = await run(parts);
  await filesystem!.destroy?.();
  self.postMessage({ kind: "ended", reason });
  self.close();
}

async function run(parts: LoopOptions): Promise<EndReason> {
  using loop = parts.settings.features.has("over-io-uring") ? makeUringLoop(parts, place) : makeDeviceLoop(parts);
  for (;;) {
    const reason = loop.run();
    if (reason !== "called") return reason;
    await commands!.takeOne();
  }
}
