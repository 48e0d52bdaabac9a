/** A tree of branches and the calls that its tests make, by path, as root; and filesystems that answer late. */
import type { Attributes, Entry } from "../../../src/fs/attributes.ts";
import { type ErrnoName, errnoNameOf } from "../../../src/fs/errors.ts";
import type { ConnectionInfo } from "../../../src/fs/connection_info.ts";
import type { DirectoryEntry, FileSystem, NodeId } from "../../../src/fs/filesystem.ts";
import type { Notifier, NotifyOutcome } from "../../../src/fs/notifier.ts";
import { O_RDWR } from "../../../src/fs/flags.ts";
import { type BranchDefinition, BranchFileSystem, type BranchOptions } from "../../../src/layers/branch/mod.ts";
import { METHOD_NAMES } from "../../../src/layers/support/methods.ts";
import { assertEquals } from "../../deps.ts";
import { requestContext } from "../../support/request_context.ts";

export const context = requestContext();
const WRITE = { cached: false, killPrivileges: false };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A connection whose notifications are written down. */
export function recordingConnection(features: Iterable<string> = []): ConnectionInfo & { readonly told: string[] } {
  const told: string[] = [];
  const notifier = new Proxy({} as Notifier, {
    get: (_target, name) => (...values: unknown[]): Promise<NotifyOutcome> => {
      told.push(`${String(name)} ${values.join(" ")}`);
      return Promise.resolve("delivered");
    },
  });
  return { minor: 45, features: new Set(features), maxWrite: 1 << 20, notifier, told };
}

/** The same filesystem, each of whose methods answers with a promise. Entries and attributes are copies. */
export function late(filesystem: FileSystem): FileSystem {
  const wrapped: Record<string, unknown> = { features: filesystem.features };
  for (const name of METHOD_NAMES) {
    const method = filesystem[name] as ((...values: unknown[]) => unknown) | undefined;
    if (method === undefined) continue;
    if (name.startsWith("forget")) wrapped[name] = method.bind(filesystem);
    else wrapped[name] = async (...values: unknown[]) => copy(await method.apply(filesystem, values));
  }
  return wrapped as FileSystem;
}

function copy(result: unknown): unknown {
  if (typeof result !== "object" || result === null) return result;
  if (result instanceof Uint8Array) return result.slice();
  if (Array.isArray(result)) return [...result];
  if (Symbol.iterator in result) return copyEntries(result as Iterable<DirectoryEntry>);
  const copied: Record<string, unknown> = { ...result };
  for (const key of ["attributes", "entry", "opened"]) {
    if (key in copied) copied[key] = copy(copied[key]);
  }
  return copied;
}

async function* copyEntries(entries: Iterable<DirectoryEntry>): AsyncGenerator<DirectoryEntry> {
  for (const entry of entries) yield await copy(entry) as DirectoryEntry;
}

export class BranchTree {
  readonly filesystem: BranchFileSystem & Required<FileSystem>;
  readonly connection = recordingConnection();

  constructor(branches: readonly BranchDefinition[], options?: BranchOptions) {
    this.filesystem = new BranchFileSystem(branches, options) as BranchFileSystem & Required<FileSystem>;
    this.filesystem.initialize(this.connection);
  }

  /** A copy of the entry at `path`, or undefined; each lookup on the way counts. */
  async entry(path: string): Promise<Entry | undefined> {
    let entry: Entry | undefined = {
      node: 1,
      attributes: await this.filesystem.getAttributes(1, undefined, context),
    };
    for (const name of path.split("/").filter((name) => name !== "")) {
      if (entry === undefined) return undefined;
      entry = await this.filesystem.lookup(entry.node, name, context);
    }
    return entry && { ...entry, attributes: { ...entry.attributes } };
  }

  async node(path: string): Promise<NodeId> {
    const entry = await this.entry(path);
    if (entry === undefined) throw new Error(`There is no ${path}`);
    return entry.node;
  }

  async stat(path: string): Promise<Attributes> {
    const node = await this.node(path);
    return { inode: node, ...await this.filesystem.getAttributes(node, undefined, context) };
  }

  async #parent(path: string): Promise<[NodeId, string]> {
    const at = path.lastIndexOf("/");
    return [await this.node(path.slice(0, at)), path.slice(at + 1)];
  }

  async write(path: string, text: string): Promise<NodeId> {
    const { entry, opened } = await this.filesystem.create(...await this.#parent(path), 0o644, O_RDWR, context);
    const { node } = entry;
    const handle = opened.handle ?? 0;
    await this.filesystem.write(node, handle, 0, encoder.encode(text), WRITE, context);
    await this.filesystem.release(node, handle, 0, context);
    return node;
  }

  async read(path: string): Promise<string> {
    const node = await this.node(path);
    const { handle = 0 } = await this.filesystem.open(node, O_RDWR, context);
    const text = decoder.decode(await this.filesystem.read(node, handle, 0, 1000, context));
    await this.filesystem.release(node, handle, 0, context);
    return text;
  }

  async makeDirectory(path: string): Promise<NodeId> {
    return (await this.filesystem.makeDirectory(...await this.#parent(path), 0o755, context)).node;
  }

  async unlink(path: string): Promise<void> {
    await this.filesystem.unlink(...await this.#parent(path), context);
  }

  async removeDirectory(path: string): Promise<void> {
    await this.filesystem.removeDirectory(...await this.#parent(path), context);
  }

  async rename(from: string, to: string, flags = 0): Promise<void> {
    await this.filesystem.rename(...await this.#parent(from), ...await this.#parent(to), flags, context);
  }

  /** All entries of a directory, `atOnce` in each call. */
  async list(path: string, { plus = false, atOnce = Infinity } = {}): Promise<DirectoryEntry[]> {
    const node = await this.node(path);
    const { handle = 0 } = await this.filesystem.openDirectory(node, 0, context);
    const entries: DirectoryEntry[] = [];
    for (;;) {
      const offset = entries.at(-1)?.offset ?? 0;
      const method = plus ? "readDirectoryPlus" : "readDirectory";
      const before = entries.length;
      for await (const entry of await this.filesystem[method](node, handle, offset, context)) {
        entries.push({ ...entry });
        if (entries.length - before >= atOnce) break;
      }
      if (entries.length === before) break;
    }
    await this.filesystem.releaseDirectory(node, handle, 0, context);
    return entries;
  }

  async names(path: string): Promise<string> {
    return (await this.list(path)).map(({ name }) => name).filter((name) => !/^\.\.?$/.test(name)).sort().join(" ");
  }
}

/** Checks that `attempt` throws, or rejects, with `code`; and that the message has `words`. */
export async function assertRefused(code: ErrnoName, attempt: () => unknown, words = ""): Promise<void> {
  let outcome: unknown = "success";
  try {
    await attempt();
  } catch (thrown) {
    outcome = errnoNameOf(thrown) ?? thrown;
    const { message } = thrown as Error;
    if (!message.includes(words)) throw new Error(`Not about ${words}: ${message}`, { cause: thrown });
  }
  assertEquals(outcome, code);
}
