/**
 * Requests, notifications and wake-ups leave nothing behind: descriptors and memory stay where they were.
 * TRELLIS_GROWTH=1000000 makes it that many requests.
 */
import { assert } from "../deps.ts";
import type { FileSystem } from "../../mod.ts";
import { PythonClient } from "../support/client.ts";
import { Held } from "../support/growth.ts";
import { mountTemporarily } from "../support/mounted.ts";

const REQUESTS = Number(Deno.env.get("TRELLIS_GROWTH") ?? 100_000);

/** How many requests were answered. */
let asked = 0;

/** Answers later, as a handler may: mostly after a promise, now and then after a timer. */
function slow(): FileSystem {
  const attributes = (node: number) => node === 1 ? { mode: 0o40755 } : { mode: 0o100644, size: 4096 };
  const later = () => ++asked % 1000 === 0 ? new Promise((resolve) => setTimeout(resolve, 1)) : Promise.resolve();
  return {
    async lookup() {
      await later();
      return { node: 2, attributes: attributes(2) };
    },
    async getAttributes(node) {
      await later();
      return attributes(node);
    },
    open: () => ({ directIo: true }),
    async read(_node, _handle, _offset, size, context) {
      await later();
      assert(!context.signal.aborted);
      return context.allocate(size);
    },
  };
}

Deno.test(`${REQUESTS} requests and a tenth as many notifications leave descriptors and memory where they were`, async () => {
  await using mounted = await mountTemporarily(slow(), { entryTimeout: 0, attributesTimeout: 0 });
  const { notifier } = mounted.session;
  // A turn is LOOKUP and GETATTR, and for one in four LOOKUP, OPEN, READ, FLUSH and RELEASE, of which two are counted.
  const load = async (requests: number) => {
    await using client = new PythonClient(
      mounted.path,
      `
for turn in range(${Math.ceil(requests / 2)}):
    os.stat("file")
    if turn % 4 == 0:
        fd = os.open("file", os.O_RDONLY)
        os.read(fd, 1000)
        os.close(fd)`,
    );
    let served = false;
    const ended = client.end(600).finally(() => served = true);
    for (let sent = 0; sent < requests / 10 && !served; sent += 100) {
      await Promise.all(Array.from({ length: 50 }, () => [notifier.invalidateNode(2), notifier.wakePoll(1)]).flat());
    }
    await ended;
  };
  await load(50_000);
  const before = new Held();
  asked = 0;
  await load(REQUESTS);
  assert(asked >= REQUESTS, `only ${asked} requests`);
  before.assertSame();
});
