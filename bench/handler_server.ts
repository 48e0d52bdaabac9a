/** A peer: `handler_server.ts SOURCE MOUNTPOINT off|on` shows a directory by an object in placement "handler". */
import { mount } from "../mod.ts";
import makePassthrough, { prepare, release } from "../src/layers/passthrough/module.ts";

const [source, mountpoint, caching] = Deno.args as [string, string, string];
const options = { source, cache: caching === "off" ? "never" : "auto" } as const;
const shared = prepare(options, 1);
const filesystem = makePassthrough(options, { shared, loop: 0, loops: 1 });
const seconds = caching === "off" ? 0 : 1;
const session = await mount(filesystem, mountpoint, {
  defaultPermissions: true,
  entryTimeout: seconds,
  attributesTimeout: seconds,
});
await session.finished;
release(shared);
