/** Entry point of a loop worker: makes its filesystem, says what it has, then serves until the mount ends. */
import { openLibc } from "../../ffi/library.ts";
import { describeThrown } from "../fs/errors.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import type { FileSystemModule } from "../fs/module.ts";
import type { FromLoop, LoopServe, LoopStart, ToLoop } from "../messages.ts";
import type { RequestView } from "../protocol/request.ts";
import { forwardTo } from "../session/forward.ts";
import { serveLocally } from "../session/local.ts";
import { runLoop } from "../session/loop.ts";
import { methodsOf } from "../session/methods.ts";

declare const self: {
  onmessage: (event: MessageEvent<ToLoop>) => void;
  postMessage(message: FromLoop): void;
  close(): void;
};

/** What is served, once `start` has come. */
let start: LoopStart | undefined;
let filesystem: FileSystem | undefined;

self.onmessage = async ({ data }) => {
  try {
    if (data.kind === "start") await prepare(start = data);
    else await serve(data);
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    self.postMessage({ kind: "failed", message, stack });
    self.close();
  }
};

async function prepare({ placement, loop, loops }: LoopStart): Promise<void> {
  if (placement.kind === "loop") {
    const module = await import(placement.module) as FileSystemModule;
    filesystem = module.default(placement.options, { loop, loops, shared: placement.shared });
    self.postMessage({ kind: "ready", methods: methodsOf(filesystem), features: filesystem.features ?? [] });
  } else {
    self.postMessage({ kind: "ready", methods: [], features: [] });
  }
}

/** Blocks this thread from here on, but for `destroy`. */
async function serve(settings: LoopServe): Promise<void> {
  const libc = openLibc();
  filesystem?.initialize?.({ minor: settings.minor, features: settings.features, maxWrite: settings.maxWrite });
  const { device, stop, maxWrite } = settings;
  const reason = runLoop({ libc, device, stop, maxWrite, serve: requestServer(settings, libc) });
  await filesystem?.destroy?.();
  self.postMessage({ kind: "ended", reason });
  self.close();
}

function requestServer(settings: LoopServe, libc: ReturnType<typeof openLibc>): (request: RequestView) => void {
  const { placement } = start!;
  if (placement.kind === "handler") return forwardTo(placement.port);
  return serveLocally(filesystem!, settings, libc, (message, error) => {
    self.postMessage({
      kind: "log",
      message,
      detail: describeThrown(error),
    });
  });
}
