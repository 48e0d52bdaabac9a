/** Notifications on live mounts: what the kernel was told is fresh, and what it was not told is stale. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { type FileSystem, FsError, type Notifier, type NotifyOutcome, ROOT_NODE } from "../../mod.ts";
import { NotifyHandler } from "../../src/channels/notify_handler.ts";
import { run } from "../support/command.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";

/** Longer than any test. */
const FOREVER = { entryTimeout: 10_000, attributesTimeout: 10_000, negativeTimeout: 10_000 };

const encoder = new TextEncoder();

/** A directory of files, each a node of its own, that a test changes behind the kernel's back. */
class Changing {
  readonly files = new Map<string, { node: number; text: string }>();
  readonly reads: string[] = [];
  notifier!: Notifier;
  #next = 2;

  put(name: string, text: string): number {
    const node = this.files.get(name)?.node ?? this.#next++;
    this.files.set(name, { node, text });
    return node;
  }

  fileSystem(special: Partial<FileSystem> = {}): FileSystem {
    const attributes = (node: number) =>
      node === ROOT_NODE ? { mode: 0o40755, links: 2 } : { mode: 0o100644, size: this.#text(node).length };
    return {
      initialize: ({ notifier }) => void (this.notifier = notifier),
      lookup: (_parent, name) => {
        const node = this.files.get(name)?.node;
        return node === undefined ? undefined : { node, attributes: attributes(node) };
      },
      getAttributes: (node) => attributes(node),
      open: () => ({ keepCache: true }),
      read: (node, _handle, offset, size) => {
        this.reads.push(this.#text(node));
        return encoder.encode(this.#text(node)).subarray(offset, offset + size);
      },
      ...special,
    };
  }

  #text(node: number): string {
    const file = this.files.values().find((file) => file.node === node);
    if (file === undefined) throw new FsError("ESTALE");
    return file.text;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

async function delivered(outcome: Promise<NotifyOutcome>): Promise<void> {
  assertEquals(await outcome, "delivered");
}

Deno.test("invalidateNode: a file cached with a long timeout is stale until the kernel is told, then fresh", async () => {
  const changing = new Changing();
  const node = changing.put("file", "before");
  const unread = changing.put("unread", "short");
  await using mounted = await mountTemporarily(changing.fileSystem(), FOREVER);
  const sizes = async () => (await Deno.stat(`${mounted.path}/unread`)).size;
  const path = `${mounted.path}/file`;
  assertEquals([await Deno.readTextFile(path), await sizes()], ["before", 5]);
  // Of the same length: a read makes the access time stale, and another size would be seen when that is asked for.
  changing.put("file", "behind");
  changing.put("unread", "much longer");
  assertEquals([await Deno.readTextFile(path), await sizes()], ["before", 5]);
  await delivered(changing.notifier.invalidateNode(node));
  assertEquals([await Deno.readTextFile(path), await sizes()], ["behind", 5]);
  await delivered(changing.notifier.invalidateNode(unread));
  assertEquals(await sizes(), 11);
});

Deno.test("invalidateNode with a negative offset: attributes are asked for again, data stay", async () => {
  const changing = new Changing();
  const node = changing.put("file", "before");
  // The kernel would otherwise drop data by itself when it sees another size.
  const filesystem = changing.fileSystem({ features: ["explicit-inval-data"] });
  await using mounted = await mountTemporarily(filesystem, FOREVER);
  const path = `${mounted.path}/file`;
  assertEquals(await Deno.readTextFile(path), "before");
  changing.put("file", "behind");
  await delivered(changing.notifier.invalidateNode(node, -1));
  assertEquals(await Deno.readTextFile(path), "before");
  await delivered(changing.notifier.invalidateNode(node, 0, 6));
  assertEquals(await Deno.readTextFile(path), "behind");
});

Deno.test("invalidateEntry, expireEntry, deleteEntry: a name is believed until the kernel is told", async (t) => {
  const changing = new Changing();
  await using mounted = await mountTemporarily(changing.fileSystem(), FOREVER);
  const tell = {
    invalidateEntry: (name: string) => changing.notifier.invalidateEntry(ROOT_NODE, name),
    expireEntry: (name: string) => changing.notifier.expireEntry(ROOT_NODE, name),
    deleteEntry: (name: string, node: number) => changing.notifier.deleteEntry(ROOT_NODE, node, name),
  };
  for (const [kind, notify] of Object.entries(tell)) {
    await t.step(kind, async () => {
      const node = changing.put(kind, "");
      assert(await exists(`${mounted.path}/${kind}`));
      changing.files.delete(kind);
      assert(await exists(`${mounted.path}/${kind}`), "the kernel does not cache the name");
      await delivered(notify(kind, node));
      assert(!await exists(`${mounted.path}/${kind}`));
    });
  }
  await t.step("a name that was not there and is cached so", async () => {
    assert(!await exists(`${mounted.path}/new é`));
    changing.put("new é", "");
    assert(!await exists(`${mounted.path}/new é`), "the kernel does not cache that the name is not there");
    await delivered(changing.notifier.invalidateEntry(ROOT_NODE, "new é"));
    assert(await exists(`${mounted.path}/new é`));
  });
});

Deno.test("what the kernel never heard of is not cached, which is no error", async () => {
  const changing = new Changing();
  await using _mounted = await mountTemporarily(changing.fileSystem(), FOREVER);
  const { notifier } = changing;
  const outcomes = [
    notifier.invalidateNode(99),
    notifier.invalidateEntry(99, "x"),
    notifier.deleteEntry(99, 98, "x"),
    notifier.store(99, 0, encoder.encode("x")),
  ];
  assertEquals(await Promise.all(outcomes), outcomes.map(() => "not cached" as const));
  assertEquals((await notifier.retrieve(99, 0, 10)).length, 0);
});

Deno.test("store and retrieve: bytes go into the page cache and come back from it", async () => {
  const changing = new Changing();
  const node = changing.put("file", "x".repeat(10_000));
  await using mounted = await mountTemporarily(changing.fileSystem(), FOREVER);
  const path = `${mounted.path}/file`;
  assertEquals((await Deno.stat(path)).size, 10_000);
  const { notifier } = changing;
  assertEquals((await notifier.retrieve(node, 0, 10_000)).length, 0);
  const data = encoder.encode("y".repeat(10_000));
  const stored = notifier.store(node, 0, data.subarray(0, 9_999));
  // The sender may go on with its buffer.
  data.fill(0);
  await delivered(stored);
  const text = await Deno.readTextFile(path);
  assertEquals(text.slice(0, 8192), "y".repeat(8192));
  assertEquals(changing.reads.length, text.endsWith("y") ? 0 : 1);
  assertEquals(await notifier.retrieve(node, 5, 20), encoder.encode("y".repeat(20)));
  assertEquals((await notifier.retrieve(node, 0, 100_000)).length, 10_000);
});

Deno.test("a method in the middle of a write notifies about its own node, and nothing waits for anything", async () => {
  const changing = new Changing();
  changing.put("file", "start");
  const outcomes: Promise<NotifyOutcome>[] = [];
  await using mounted = await mountTemporarily(
    changing.fileSystem({
      setAttributes: () => ({ mode: 0o100644, size: 5 }),
      write(node, _handle, _offset, data) {
        outcomes.push(changing.notifier.invalidateNode(node), changing.notifier.invalidateEntry(ROOT_NODE, "file"));
        return data.length;
      },
    }),
    FOREVER,
  );
  const path = `${mounted.path}/file`;
  await run(["dd", "if=/dev/zero", `of=${path}`, "bs=4096", "count=200", "conv=notrunc", "status=none"]);
  assert(outcomes.length >= 2);
  for (const outcome of await Promise.all(outcomes)) assert(outcome !== "not mounted", outcome);
});

Deno.test("a storm of notifications while others read: all are answered", async () => {
  const changing = new Changing();
  const nodes = Array.from({ length: 8 }, (_, index) => changing.put(`file${index}`, "z".repeat(100_000)));
  await using mounted = await mountTemporarily(changing.fileSystem(), FOREVER);
  const readers = nodes.map((_, index) =>
    run(["sh", "-c", `for round in $(seq 20); do cat "$1" > /dev/null; done`, "sh", `${mounted.path}/file${index}`])
  );
  const outcomes: Promise<NotifyOutcome>[] = [];
  for (let count = 0; count < 10_000; count++) {
    outcomes.push(changing.notifier.invalidateNode(nodes[count % 8]!, (count % 24) * 4096, 4096));
    if (count % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await Promise.all(readers);
  for (const outcome of await Promise.all(outcomes)) assert(outcome !== "not mounted", outcome);
});

Deno.test("incrementEpoch, prune and resend do their work, or say which Linux has them", async (t) => {
  const changing = new Changing();
  const node = changing.put("file", "");
  await using mounted = await mountTemporarily(changing.fileSystem(), FOREVER);
  const path = `${mounted.path}/file`;
  assert(await exists(path));
  const orOlder = async (outcome: Promise<NotifyOutcome>): Promise<boolean> => {
    const error = await outcome.then(() => undefined, (error: unknown) => error);
    if (error === undefined) return true;
    assert(error instanceof FsError && error.code === "EINVAL" && /needs Linux 6/.test(error.message), String(error));
    return false;
  };
  await t.step("resend", async () => void await orOlder(changing.notifier.resend()));
  await t.step("prune", async () => {
    await orOlder(changing.notifier.prune([node, 77]));
    assert(await exists(path));
  });
  await t.step("incrementEpoch", async () => {
    changing.files.delete("file");
    assert(await exists(path), "the kernel does not cache the name");
    const known = await orOlder(changing.notifier.incrementEpoch());
    assertEquals(await exists(path), !known);
  });
});

Deno.test("before the mount is live and after it is gone notifications go nowhere and hurt nobody", async () => {
  await using handler = new NotifyHandler();
  assertEquals(await handler.notifier.invalidateNode(2), "not mounted");
  const changing = new Changing();
  {
    await using _mounted = await mountTemporarily(changing.fileSystem(), FOREVER);
    await changing.notifier.invalidateNode(2);
  }
  assertEquals(await changing.notifier.invalidateEntry(ROOT_NODE, "x"), "not mounted");
  assertEquals((await changing.notifier.retrieve(2, 0, 10)).length, 0);
});

Deno.test("what the kernel refuses rejects with its errno, and who does not look is not hurt", async () => {
  const changing = new Changing();
  const node = changing.put("file", "");
  await using mounted = await mountTemporarily(changing.fileSystem(), FOREVER);
  assert(await exists(`${mounted.path}/file`));
  // A file has no names below it.
  void changing.notifier.invalidateEntry(node, "x");
  const error = await assertRejects(() => changing.notifier.invalidateEntry(node, "x"), FsError);
  assertEquals(error.code, "ENOTDIR");
});

Deno.test("loops notify too: a file that changes with every write is fresh", async () => {
  const source = `export default () => {
    let notifier, text = "start";
    const attributes = (node) => node === 1 ? { mode: 0o40755 } : { mode: 0o100666, size: text.length };
    return {
      initialize(connection) { notifier = connection.notifier; },
      lookup: (_parent, name) => name === "bell" || name === "file"
        ? { node: name === "bell" ? 2 : 3, attributes: attributes(3) } : undefined,
      getAttributes: attributes,
      setAttributes: attributes,
      open: (node) => node === 2 ? { directIo: true } : { keepCache: true },
      read: (_node, _handle, offset) => new TextEncoder().encode(text).subarray(offset),
      write(_node, _handle, _offset, data) {
        text = new TextDecoder().decode(data);
        notifier.invalidateNode(3);
        return data.length;
      },
    };
  }`;
  const module = `data:text/javascript,${encodeURIComponent(source)}`;
  await using mounted = await mountTemporarily({ module }, FOREVER);
  assertEquals(await Deno.readTextFile(`${mounted.path}/file`), "start");
  await Deno.writeTextFile(`${mounted.path}/bell`, "rung");
  await waitFor("the change to be seen", async () => await Deno.readTextFile(`${mounted.path}/file`) === "rung");
});

Deno.test("unmounting ends although a notification waits for a page whose read is never answered", async () => {
  const changing = new Changing();
  const node = changing.put("file", "never read");
  const asked = Promise.withResolvers<void>();
  const { path, session } = await mountTemporarily(
    changing.fileSystem({ read: () => (asked.resolve(), new Promise(() => {})) }),
    FOREVER,
  );
  const client = new Deno.Command("cat", { args: [`${path}/file`], stdout: "null", stderr: "null" }).spawn();
  await asked.promise;
  const outcome = changing.notifier.invalidateNode(node);
  await session.unmount();
  assertEquals((await client.status).success, false);
  // Delivered in the end, or given up: both are an outcome.
  await outcome;
  await Deno.remove(path);
});
