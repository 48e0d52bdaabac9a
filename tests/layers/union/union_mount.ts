/** A union over filesystems in memory, and the calls that its tests make, by path. Everything may answer with promises. */
import type { Attributes } from "../../../src/fs/attributes.ts";
import type { FileSystem, NodeId } from "../../../src/fs/filesystem.ts";
import { O_RDONLY, O_RDWR } from "../../../src/fs/flags.ts";
import { MemoryFileSystem } from "../../../src/layers/memory/mod.ts";
import { makeUnion, type UnionOptions } from "../../../src/layers/union/mod.ts";
import { requestContext } from "../../support/request_context.ts";

const WRITE = { cached: false, killPrivileges: false };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Calls by path on any filesystem. */
export class Paths {
  /** All that is called is there, but what the contract lets succeed by itself. */
  readonly filesystem: Required<Omit<FileSystem, "release" | "releaseDirectory">> & FileSystem;
  readonly context = requestContext();

  constructor(filesystem: FileSystem) {
    this.filesystem = filesystem as typeof this.filesystem;
  }

  async node(path: string): Promise<NodeId> {
    let node = 1;
    for (const name of path.split("/").filter((name) => name !== "")) {
      const entry = await this.filesystem.lookup(node, name, this.context);
      if (entry === undefined) throw new Error(`There is no ${name} of ${path}`);
      node = entry.node;
    }
    return node;
  }

  /** The directory's node and the last name. */
  async place(path: string): Promise<[NodeId, string]> {
    const cut = path.lastIndexOf("/");
    return [await this.node(path.slice(0, cut)), path.slice(cut + 1)];
  }

  async exists(path: string): Promise<boolean> {
    const [parent, name] = await this.place(path);
    return await this.filesystem.lookup(parent, name, this.context) !== undefined;
  }

  async mkdir(path: string, mode = 0o755): Promise<NodeId> {
    const [parent, name] = await this.place(path);
    return (await this.filesystem.makeDirectory(parent, name, mode, this.context)).node;
  }

  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const [parent, name] = await this.place(path);
    const existing = await this.filesystem.lookup(parent, name, this.context);
    const [node, opened] = existing === undefined
      ? await this.#create(parent, name, mode)
      : [existing.node, await this.filesystem.open(existing.node, O_RDWR, this.context)];
    await this.filesystem.setAttributes(node, { size: 0 }, opened.handle, this.context);
    await this.filesystem.write(node, opened.handle!, 0, encoder.encode(text), WRITE, this.context);
    await this.filesystem.release?.(node, opened.handle!, 0, this.context);
  }

  async #create(parent: NodeId, name: string, mode: number) {
    const { entry, opened } = await this.filesystem.create(parent, name, mode, O_RDWR, this.context);
    return [entry.node, opened] as const;
  }

  async read(path: string): Promise<string> {
    const node = await this.node(path);
    const { handle } = await this.filesystem.open(node, O_RDONLY, this.context);
    const text = decoder.decode(await this.filesystem.read(node, handle ?? 0, 0, 1 << 20, this.context));
    await this.filesystem.release?.(node, handle ?? 0, 0, this.context);
    return text;
  }

  async list(path = "/"): Promise<string[]> {
    const node = await this.node(path);
    const { handle = 0 } = await this.filesystem.openDirectory(node, 0, this.context);
    const entries = await this.filesystem.readDirectory(node, handle, 0, this.context);
    const names = (await Array.fromAsync(entries)).map(({ name }) => name);
    await this.filesystem.releaseDirectory?.(node, handle, 0, this.context);
    return names.filter((name) => name !== "." && name !== "..").sort();
  }

  async stat(path: string): Promise<Attributes> {
    return { ...await this.filesystem.getAttributes(await this.node(path), undefined, this.context) };
  }

  async unlink(path: string): Promise<void> {
    await this.filesystem.unlink(...await this.place(path), this.context);
  }

  async rmdir(path: string): Promise<void> {
    await this.filesystem.removeDirectory(...await this.place(path), this.context);
  }

  async rename(from: string, to: string, flags = 0): Promise<void> {
    const [place, newPlace] = [await this.place(from), await this.place(to)];
    await this.filesystem.rename(...place, ...newPlace, flags, this.context);
  }

  async link(from: string, to: string): Promise<void> {
    await this.filesystem.link(await this.node(from), ...await this.place(to), this.context);
  }

  async attribute(path: string, name: string): Promise<string | undefined> {
    const value = await this.filesystem.getExtendedAttribute(await this.node(path), name, this.context);
    return value && decoder.decode(value);
  }

  async setAttribute(path: string, name: string, value: string): Promise<void> {
    const node = await this.node(path);
    await this.filesystem.setExtendedAttribute(node, name, encoder.encode(value), 0, this.context);
  }
}

export interface UnionUnderTest {
  readonly union: Paths;
  readonly branches: readonly Paths[];
}

/** A union with a branch in memory for each word: `rw` or `ro`. With `later` the branches answer with promises. */
export function unionOf(words: readonly ("rw" | "ro")[], later: boolean, options: UnionOptions = {}): UnionUnderTest {
  const inner = words.map(() => new MemoryFileSystem());
  const branches = inner.map((filesystem, index) => ({
    filesystem: later ? answerLater(filesystem) : filesystem,
    writable: words[index] === "rw",
    name: `/branch${index}`,
  }));
  return { union: new Paths(makeUnion(branches, options)), branches: inner.map((filesystem) => new Paths(filesystem)) };
}

/** The same filesystem, whose methods all return promises. */
function answerLater(filesystem: FileSystem): FileSystem {
  return new Proxy(filesystem, {
    get(target, property) {
      const value = Reflect.get(target, property);
      if (typeof value !== "function" || property === "forget") {
        return typeof value === "function" ? value.bind(target) : value;
      }
      return async (...parameters: unknown[]) => {
        await undefined;
        return value.apply(target, parameters);
      };
    },
  });
}
