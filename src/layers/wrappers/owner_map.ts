/** A filesystem whose files are shown with other owners and permission bits than it has stored. */
import type { Attributes, Entry } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { AttributeChanges, Awaitable, DirectoryEntry, FileSystem, RequestContext } from "../../fs/filesystem.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../fs/flags.ts";
import { after } from "../support/awaitable.ts";
import { copyAttributes } from "../support/copy_attributes.ts";
import { METHOD_NAMES, type Methods } from "../support/methods.ts";
import { wrapFileSystem } from "../support/wrapping.ts";

/** A run of `count` ids: `shown` first by the mount, `stored` first by the filesystem. */
export interface IdRange {
  /** The first id as the mount shows it. */
  readonly shown: number;
  /** The first id as the filesystem has it. */
  readonly stored: number;
  /** How many ids the run has. */
  readonly count: number;
}

/**
 * How ids are shown: all as `shown` (what is made and who asks then counts as `stored`, by default the user or group of
 * this process), or by a table, as in user namespaces.
 */
export type IdMap = { readonly shown: number; readonly stored?: number } | readonly IdRange[];

/** How owners and permission bits are shown. */
export interface OwnerMap {
  /** For users. Default: as they are. */
  readonly uid?: IdMap;
  /** For groups. Default: as they are. */
  readonly gid?: IdMap;
  /** Permission bits that all files but directories and symbolic links are shown with. */
  readonly fileMode?: number;
  /** Permission bits that all directories are shown with. */
  readonly directoryMode?: number;
}

/** What an id without a place in a table is shown as (/proc/sys/kernel/overflowuid). */
const OVERFLOW = 65534;

interface Direction {
  show(id: number): number;
  /** The id to store, or undefined for one that has none. */
  store(id: number): number | undefined;
  /** Whether all are shown as one, and to choose that one changes nothing. */
  readonly squashed: boolean;
}

const IDENTITY: Direction = { show: (id) => id, store: (id) => id, squashed: false };

function direction(map: IdMap | undefined, own: number): Direction {
  if (map === undefined) return IDENTITY;
  if ("shown" in map) return { show: () => map.shown, store: () => map.stored ?? own, squashed: true };
  const find = (id: number, from: "shown" | "stored", to: "shown" | "stored") => {
    const range = map.find((each) => id >= each[from] && id < each[from] + each.count);
    return range && id - range[from] + range[to];
  };
  return {
    show: (id) => find(id, "stored", "shown") ?? OVERFLOW,
    store: (id) => find(id, "shown", "stored"),
    squashed: false,
  };
}

/** The caller, as the filesystem knows it. */
class MappedContext implements RequestContext {
  readonly #context: RequestContext;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly umask: number;

  constructor(context: RequestContext, uid: number, gid: number) {
    this.#context = context;
    this.uid = uid;
    this.gid = gid;
    this.pid = context.pid;
    this.umask = context.umask;
  }

  get unique(): number {
    return this.#context.unique;
  }

  get resent(): boolean {
    return this.#context.resent;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  allocate(size: number): Uint8Array<ArrayBuffer> {
    return this.#context.allocate(size);
  }
}

/** Requests that make something: without an owner to store it cannot be made. */
const MAKING = new Set(["makeNode", "makeDirectory", "makeSymbolicLink", "create", "makeTemporaryFile"]);

/**
 * Wraps `filesystem`: attributes are shown as `map` says, chown is brought back to what is stored, and callers reach the
 * filesystem with the ids that theirs stand for (65534 for those without). To give a file to an id that stands for none is
 * `EINVAL`, to make one as such a caller `EOVERFLOW`, as in a user namespace. Where all ids, or all permission bits, are
 * shown alike, to ask for others is `EPERM`, as on FAT.
 */
export function mapOwners(filesystem: FileSystem, map: OwnerMap): FileSystem {
  const users = direction(map.uid, Deno.uid() ?? 0);
  const groups = direction(map.gid, Deno.gid() ?? 0);
  const ownUser = Deno.uid() ?? 0;
  const ownGroup = Deno.gid() ?? 0;

  /** The bits that a file of this type is shown with, when they are not its own. */
  function fixedMode(mode: number): number | undefined {
    const type = mode & S_IFMT;
    if (type === S_IFDIR) return map.directoryMode;
    return type === S_IFLNK ? undefined : map.fileMode;
  }

  const showMode = (mode: number) => (mode & S_IFMT) | ((fixedMode(mode) ?? mode) & 0o7777);

  const show = (attributes: Attributes): Attributes => ({
    ...copyAttributes(attributes, {}),
    mode: showMode(attributes.mode),
    uid: users.show(attributes.uid ?? ownUser),
    gid: groups.show(attributes.gid ?? ownGroup),
  });
  const showEntry = (entry: Entry): Entry => ({ ...entry, attributes: show(entry.attributes) });
  const showListed = (listed: DirectoryEntry): DirectoryEntry =>
    listed.entry === undefined ? listed : { ...listed, entry: showEntry(listed.entry) };

  function caller(context: RequestContext, making: boolean): RequestContext {
    const [uid, gid] = [users.store(context.uid), groups.store(context.gid)];
    if (making && (uid === undefined || gid === undefined)) {
      throw new FsError("EOVERFLOW", `Cannot make a file of ${context.uid}:${context.gid}: no owner stands for that`);
    }
    return new MappedContext(context, uid ?? OVERFLOW, gid ?? OVERFLOW);
  }

  /** The filesystem's operations, called as who the caller stands for. The context is the last parameter of all. */
  function asCaller(inner: Methods): Required<Methods> {
    const mapped: Record<string, unknown> = {};
    for (const name of METHOD_NAMES) {
      const method = inner[name] as ((...values: unknown[]) => unknown) | undefined;
      if (method === undefined) continue;
      if (name.startsWith("forget")) mapped[name] = method;
      else {
        mapped[name] = (...values: unknown[]) => {
          values.push(caller(values.pop() as RequestContext, MAKING.has(name)));
          return method(...values);
        };
      }
    }
    return mapped as Required<Methods>;
  }

  /** An owner to store; undefined when the shown one is chosen and stands for many. */
  function owner(id: number | undefined, ids: Direction): number | undefined {
    if (id === undefined || (ids.squashed && id === ids.show(id))) return undefined;
    if (ids.squashed) throw new FsError("EPERM", `Cannot give a file to ${id}: all are shown as ${ids.show(id)}`);
    const stored = ids.store(id);
    if (stored === undefined) {
      throw new FsError("EINVAL", `Cannot give a file to ${id}: no stored owner stands for that`);
    }
    return stored;
  }

  return wrapFileSystem(filesystem, (inner) => {
    const stored = asCaller(inner);
    const changes: Record<string, unknown> = { ...stored };
    const answers = <Result>(name: keyof Methods, change: (result: Result) => Result) => {
      const method = stored[name] as (...values: unknown[]) => Awaitable<Result>;
      if (method !== undefined) changes[name] = (...values: unknown[]) => after(method(...values), change);
    };
    answers<Entry | undefined>("lookup", (entry) => entry && showEntry(entry));
    for (const name of ["makeNode", "makeDirectory", "makeSymbolicLink", "link"] as const) answers(name, showEntry);
    for (const name of ["create", "makeTemporaryFile"] as const) {
      answers<{ entry: Entry }>(name, (made) => ({ ...made, entry: showEntry(made.entry) }));
    }
    answers("getAttributes", show);
    answers<{ attributes: Attributes }>("getExtendedStatus", (status) => {
      return { ...status, attributes: show(status.attributes) };
    });
    answers<Iterable<DirectoryEntry> | AsyncIterable<DirectoryEntry>>(
      "readDirectoryPlus",
      (entries) => Symbol.asyncIterator in entries ? mapLater(entries, showListed) : mapNow(entries, showListed),
    );

    if (inner.setAttributes !== undefined) {
      changes.setAttributes = ((node, change, handle, context) => {
        const { uid, gid, mode, ...rest } = change;
        const asked: AttributeChanges = rest;
        const [newUser, newGroup] = [owner(uid, users), owner(gid, groups)];
        if (newUser !== undefined) asked.uid = newUser;
        if (newGroup !== undefined) asked.gid = newGroup;
        const set = () => after(stored.setAttributes(node, asked, handle, context), show);
        if (mode === undefined) return set();
        return after(stored.getAttributes(node, handle, context), (before) => {
          const fixed = fixedMode(before.mode);
          if (fixed === undefined) asked.mode = mode;
          else if (fixed !== mode) {
            throw new FsError("EPERM", `Cannot change a mode: all are shown as 0${fixed.toString(8)}`);
          }
          return set();
        });
      }) satisfies FileSystem["setAttributes"];
    }
    return changes as Methods;
  });
}

function* mapNow<Value>(values: Iterable<Value>, change: (value: Value) => Value) {
  for (const value of values) yield change(value);
}

async function* mapLater<Value>(values: AsyncIterable<Value>, change: (value: Value) => Value) {
  for await (const value of values) yield change(value);
}
