/** A filesystem of one's own in twenty lines, each environment variable a file: deno run -A environment.ts [FOLDER] */
import { type FileSystem, mount } from "../mod.ts";

const names = Object.keys(Deno.env.toObject()).sort();
const content = (node: number) => new TextEncoder().encode(`${Deno.env.get(names[node - 2]!) ?? ""}\n`);
const attributes = (node: number) =>
  node === 1 ? { mode: 0o40755, links: 2 } : { mode: 0o100444, size: content(node).length };

const environment: FileSystem = {
  lookup(_parent, name) {
    const node = names.indexOf(name) + 2;
    return node < 2 ? undefined : { node, attributes: attributes(node) };
  },
  getAttributes: (node) => attributes(node),
  read: (node, _handle, offset, size) => content(node).subarray(offset, offset + size),
  *readDirectory(_node, _handle, offset) {
    for (const [index, name] of names.entries()) {
      if (index >= offset) yield { name, inode: index + 2, mode: 0o100444, offset: index + 1 };
    }
  },
};

// Before anything is mounted: a signal that nobody hears ends the program alone, and leaves its mount and folder.
const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, () => stop());

await using made = new AsyncDisposableStack();
const folder = Deno.args[0] ?? await Deno.makeTempDir();
if (Deno.args[0] === undefined) made.defer(() => Deno.remove(folder));

await using session = await mount(environment, folder);
// deno-lint-ignore no-console -- tells its user where to look
console.log(`ls ${session.mountpoint}`);
await Promise.race([session.finished, stopped]);
