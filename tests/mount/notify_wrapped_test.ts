/** A filesystem that is wrapped by another, on a live mount: its notifications and wake-ups reach the kernel. */
import { assertEquals } from "../deps.ts";
import { type FileSystem, mapNotifier, type NodeId, type Notifier, PollHandles, POLLIN, ROOT_NODE } from "../../mod.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";
import { PythonClient } from "../support/client.ts";

type Methods = Required<FileSystem>;

/** One file, "file", node 2, that a test changes and fills behind the kernel's back. It knows nothing of wrappers. */
class Inner implements FileSystem {
  text = "before";
  ready = false;
  notifier!: Notifier;
  polls!: PollHandles;

  initialize: Methods["initialize"] = ({ notifier }) => {
    this.notifier = notifier;
    this.polls = new PollHandles(notifier);
  };
  lookup: Methods["lookup"] = (_parent, name) =>
    name === "file" ? { node: 2, attributes: this.#attributes(2) } : undefined;
  getAttributes: Methods["getAttributes"] = (node) => this.#attributes(node);
  open: Methods["open"] = () => ({ keepCache: true });
  read: Methods["read"] = (_node, _handle, offset, size) =>
    new TextEncoder().encode(this.text).subarray(offset, offset + size);
  poll: Methods["poll"] = (node, handle, events, wakeup) => {
    this.polls.register(node, handle, wakeup);
    return this.ready ? events & POLLIN : 0;
  };
  release: Methods["release"] = (node, handle) => this.polls.release(node, handle);

  #attributes(node: NodeId) {
    return node === ROOT_NODE ? { mode: 0o40755, links: 2 } : { mode: 0o100444, size: this.text.length };
  }
}

/** Shows `inner` with other node ids, as a branch of a larger tree would: all but the root are `apart` further up. */
function wrap(inner: FileSystem, apart: number): FileSystem {
  const outside = (node: NodeId) => node === ROOT_NODE ? node : node + apart;
  const inside = (node: NodeId) => node === ROOT_NODE ? node : node - apart;
  return {
    initialize: (connection) =>
      inner.initialize!({ ...connection, notifier: mapNotifier(connection.notifier, outside) }),
    async lookup(parent, name, context) {
      const entry = await inner.lookup!(inside(parent), name, context);
      return entry && { ...entry, node: outside(entry.node) };
    },
    getAttributes: (node, handle, context) => inner.getAttributes!(inside(node), handle, context),
    open: (node, flags, context) => inner.open!(inside(node), flags, context),
    read: (node, handle, offset, size, context) => inner.read!(inside(node), handle, offset, size, context),
    poll: (node, handle, events, wakeup, context) => inner.poll!(inside(node), handle, events, wakeup, context),
    release: (node, handle, flags, context) => inner.release!(inside(node), handle, flags, context),
  };
}

const FOREVER = { entryTimeout: 10_000, attributesTimeout: 10_000 };

for (const [how, layers] of [["alone", 0], ["wrapped", 1], ["wrapped twice", 2]] as const) {
  Deno.test(`a filesystem that is ${how} invalidates, stores, retrieves and wakes`, async () => {
    const inner = new Inner();
    let filesystem: FileSystem = inner;
    for (let layer = 1; layer <= layers; layer++) filesystem = wrap(filesystem, 2 ** 40 * layer);
    await using mounted = await mountTemporarily(filesystem, FOREVER);
    const path = `${mounted.path}/file`;
    assertEquals(await Deno.readTextFile(path), "before");
    inner.text = "behind";
    assertEquals(await Deno.readTextFile(path), "before");
    assertEquals(await inner.notifier.invalidateNode(2), "delivered");
    assertEquals(await Deno.readTextFile(path), "behind");
    assertEquals(await inner.notifier.store(2, 0, new TextEncoder().encode("stored")), "delivered");
    assertEquals(new TextDecoder().decode(await inner.notifier.retrieve(2, 0, 6)), "stored");
    assertEquals(await inner.notifier.invalidateEntry(ROOT_NODE, "file"), "delivered");
    assertEquals(await inner.notifier.invalidateEntry(ROOT_NODE, "no such file"), "not cached");

    await using client = new PythonClient(
      mounted.path,
      `print(len(select.select([os.open("file", 0)], [], [])[0]))`,
    );
    await waitFor("the client to wait", () => inner.polls.size === 1);
    inner.ready = true;
    inner.polls.wake(2);
    await client.end();
    assertEquals(client.lines, ["1"]);
  });
}
