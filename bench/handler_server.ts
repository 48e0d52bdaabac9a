/**
 * A peer: `handler_server.ts SOURCE MOUNTPOINT CACHE SECONDS WORKERS` shows a directory in placement "handler", with that
 * cache and those timeouts: by so many workers, or with 0 by an object.
 */
import { mount } from "../mod.ts";
import type { CacheMode } from "../src/layers/passthrough/options.ts";
import makePassthrough, { prepare, release } from "../src/layers/passthrough/module.ts";

const [source, mountpoint, cache, seconds, workers] = Deno.args as [string, string, CacheMode, string, string];
const options = { source, cache, remotePosixLock: false } as const;
const timeouts = { entryTimeout: Number(seconds), attributesTimeout: Number(seconds) };
const mountOptions = { defaultPermissions: true, ...timeouts };

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
