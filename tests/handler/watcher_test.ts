/** Isolates that watch one device: what has come is not left to one that does not come round to it. */
import { assertEquals } from "../deps.ts";
import { openLibc } from "../../ffi/library.ts";
import { openRally } from "../../src/handler/rally.ts";
import { makeWatchFlag, Watcher } from "../../src/handler/watcher.ts";
import { addCall, openDevicePoll } from "../../src/transport/device_poll.ts";
import { openEventfd, signalEventfd } from "../../src/transport/eventfd.ts";

/** Longer than anybody waits who is woken. */
const DEADLINE = 5_000;

const libc = openLibc();

/** Watchers of an eventfd in place of the device. */
function watchTogether(count: number): Disposable & { readonly device: number; readonly watchers: readonly Watcher[] } {
  const resources = new DisposableStack();
  const close = (descriptor: number) => void libc.symbols.close(descriptor);
  const device = resources.adopt(openEventfd(libc), close);
  const rally = resources.adopt(openRally(libc), close);
  const watchers = Array.from({ length: count }, () => {
    const poll = resources.adopt(openDevicePoll(libc, device), close);
    addCall(libc, poll, rally);
    const watcher = resources.use(new Watcher(makeWatchFlag(), rally));
    watcher.watch(poll);
    return watcher;
  });
  return { device, watchers, [Symbol.dispose]: () => resources.dispose() };
}

Deno.test("what one isolate was told of and does not read, all others are told of", async () => {
  using together = watchTogether(3);
  const { device, watchers } = together;
  // In the first their threads may be yet to start: who does not wait at the moment finds it later by itself.
  for (let round = 0; round < 20; round++) {
    // Nobody reads what comes, and nobody waits a second time.
    const waits = watchers.map((watcher) => watcher.wait());
    await new Promise((resolve) => setTimeout(resolve));
    signalEventfd(libc, device);
    const { promise: late, resolve } = Promise.withResolvers<string>();
    const timer = setTimeout(resolve, DEADLINE, "late");
    assertEquals(await Promise.race([Promise.all(waits), late]), [false, false, false]);
    clearTimeout(timer);
    libc.symbols.read(device, new Uint8Array(8), 8);
  }
});
