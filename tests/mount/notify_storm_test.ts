/**
 * A storm of invalidations while other processes read and write: everybody goes on, and nobody reads what was not
 * written. TRELLIS_STORM=300 makes it last that many seconds.
 */
import { assert, assertEquals } from "../deps.ts";
import type { NotifyOutcome } from "../../mod.ts";
import { MemoryFileSystem } from "../../src/layers/memory/mod.ts";
import { PythonClient } from "../support/client.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";

const SECONDS = Number(Deno.env.get("TRELLIS_STORM") ?? 8);
const CLIENTS = 4;
const BLOCKS = 64;
const BLOCK = 4096;

/** How many notifications may be on their way: so many that they always stand in a queue. */
const ON_THEIR_WAY = 500;
const LEAST = 10_000;

/** The kernel keeps what is written, and an invalidation has to wait until it is given to the filesystem. */
class WritebackFileSystem extends MemoryFileSystem {
  override readonly features = [...new MemoryFileSystem().features, "writeback-cache"];
}

/** Writes and reads back a file of its own, reads that of its neighbour, and prints a line each second. */
const client = (number: number) => `
import mmap, random, threading, time
own = os.open("${number}", os.O_RDWR | os.O_CREAT)
os.ftruncate(own, ${BLOCKS * BLOCK})
mapped = mmap.mmap(own, ${BLOCKS * BLOCK})
written = [0] * ${BLOCKS}
stop = []
threading.Thread(target=lambda: stop.append(sys.stdin.read()), daemon=True).start()
print(os.fstat(own).st_ino)
turns, said = 0, time.monotonic()
while not stop:
    turns += 1
    block = random.randrange(${BLOCKS})
    written[block] = turns % 255 + 1
    if turns % 3 == 0:
        mapped[block * ${BLOCK}:(block + 1) * ${BLOCK}] = bytes([written[block]]) * ${BLOCK}
    else:
        os.pwrite(own, bytes([written[block]]) * ${BLOCK}, block * ${BLOCK})
    if turns % 50 == 0:
        os.fsync(own)
    block = random.randrange(${BLOCKS})
    if os.pread(own, ${BLOCK}, block * ${BLOCK}) != bytes([written[block]]) * ${BLOCK}:
        sys.exit(f"block {block} is not what was written")
    if turns % 10 == 0 and os.path.exists("${(number + 1) % CLIENTS}"):
        with open("${(number + 1) % CLIENTS}", "rb") as other:
            other.read()
    if time.monotonic() > said + 1:
        said += 1
        print(turns)`;

for (const [name, make] of [["writeback-cache", WritebackFileSystem], ["writing through", MemoryFileSystem]] as const) {
  Deno.test(`a storm of invalidations for ${SECONDS} s while four processes read and write (${name})`, async (t) => {
    await using mounted = await mountTemporarily(new make());
    await using stack = new AsyncDisposableStack();
    const clients = Array.from(
      { length: CLIENTS },
      (_, number) => stack.use(new PythonClient(mounted.path, client(number))),
    );
    const nodes = await Promise.all(clients.map(async (client) => Number((await client.printed(1))[0])));
    const outcomes = new Map<NotifyOutcome, number>();
    const storm = async (begin: number) => {
      for (let sent = begin; performance.now() < end || sent < LEAST; sent += ON_THEIR_WAY) {
        const node = nodes[sent % CLIENTS]!;
        // Single blocks of it, or the whole.
        const outcome = sent % 16 < 2
          ? mounted.session.notifier.invalidateNode(node)
          : mounted.session.notifier.invalidateNode(node, (sent * 7 % BLOCKS) * BLOCK, BLOCK);
        const came = await outcome;
        outcomes.set(came, (outcomes.get(came) ?? 0) + 1);
      }
    };
    const end = performance.now() + SECONDS * 1000;
    const storms = Promise.all(Array.from({ length: ON_THEIR_WAY }, (_, begin) => storm(begin)));
    // Each client says something each second; who waits for more than ten is stuck.
    for (let second = 1; second < SECONDS; second++) {
      for (const client of clients) await client.printed(1 + second);
    }
    await storms;
    // An end of file tells them to stop; what they say by then was no error.
    await Promise.all(clients.map((client) => client.end()));
    const sent = outcomes.values().reduce((sum, count) => sum + count, 0);
    const turns = clients.map((client) => Number(client.lines.at(-1)));
    await t.step(`${sent} notifications, ${turns.join("+")} turns`, () => {
      assert(sent >= LEAST);
      assertEquals([...outcomes.keys()], ["delivered"]);
      assert(turns.every((count) => count >= SECONDS - 1), turns.join());
    });
    await waitFor("the files to be there", async () => (await Deno.stat(`${mounted.path}/0`)).size === BLOCKS * BLOCK);
  });
}
