/**
 * A peer: `handler_server.ts SOURCE MOUNTPOINT off|on [WORKERS]` shows a directory in placement "handler": by an
 * object, or by so many workers.
 */
import { mount } from "../mod.ts";
import makePassthrough, { prepare, release } from "../src/layers/passthrough/module.ts";

const [source, mountpoint, caching, workers = "0"] = Deno.args as [string, string, string, string?];
const options = { source, cache: caching === "off" ? "never" : "auto", remotePosixLock: false } as const;
const seconds = caching === "off" ? 0 : 1;
const mountOptions = { defaultPermissions: true, entryTimeout: seconds, attributesTimeout: seconds };

if (workers === "0") {
  const shared = prepare(options, 1);
  const session = await mount(makePassthrough(options, { shared, loop: 0, loops: 1 }), mountpoint, mountOptions);
  await session.finished;
  release(shared);
} else {
  const module = new URL("../src/layers/passthrough/module.ts", import.meta.url);
  const placement = { module, options, placement: "handler", workers: Number(workers) } as const;
  const session = await mount(placement, mountpoint, mountOptions);
  await session.finished;
}
