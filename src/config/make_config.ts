/** From tables as the file spells them to a configuration as the rest of Trellis does. */
import { posix } from "node:path";
import type { Bind, BranchConfig, MountConfig, Ownership, RunConfig, UnionSource, Wrappers } from "./config.ts";
import type { HostPaths } from "./host_paths.ts";
import { GENERAL_OPTIONS, type MountSettings, type MountTarget, tryOption } from "./mount_options.ts";
import type { BranchTable, MountTable, RunTable } from "./schema.ts";
import type { KeyPath } from "./toml.ts";

type Undefinable<Type> = { [Key in keyof Type]: Type[Key] | undefined };

/** The same without the keys that are undefined. */
function given<Type extends object>(options: Undefinable<Type>): Type {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Type;
}

/** `[mount]`. Its options keep to the rules. */
export function makeMount(table: MountTable, paths: HostPaths): MountConfig {
  const { mount, ...server } = readOptions(table);
  return given<MountConfig>({
    ...server,
    point: table.point === undefined ? undefined : paths.resolve(table.point, ["mount", "point"]),
    loops: table.loops,
    growing: table.growing,
    branchPointErrno: table.branch_point_errno,
    options: mountOptions(table, mount),
  });
}

function readOptions(table: MountTable): MountTarget {
  const target: MountTarget = { mount: { options: [], defaultPermissions: true } };
  // What is wrong with one is the rules' to say, beside all other problems.
  for (const option of table.options) tryOption(GENERAL_OPTIONS, target, option);
  return target;
}

function mountOptions(table: MountTable, settings: MountSettings): MountSettings {
  return given<MountSettings>({
    ...settings,
    filesystemName: table.name,
    readOnly: table.read_only,
    allowOther: table.allow_other,
    entryTimeout: table.entry_timeout,
    attributesTimeout: table.attr_timeout,
    negativeTimeout: table.negative_timeout,
    maxRead: table.max_read,
  });
}

/** The `[[branch]]` at `index`, which has the number `id`. */
export function makeBranch(table: BranchTable, index: number, id: number, paths: HostPaths): BranchConfig {
  const common = given<{ id: number; path: string; index: number; placement?: "loop" | "handler"; wrappers: Wrappers }>(
    {
      id,
      path: table.path,
      index,
      placement: table.placement,
      wrappers: makeWrappers(table),
    },
  );
  switch (table.type) {
    case "memory": {
      const { size, inodes, mode, uid, gid, keep_content: keepContent } = table;
      return { ...common, type: table.type, options: given({ size, inodes, mode, uid, gid, keepContent }) };
    }
    case "passthrough":
      return {
        ...common,
        type: table.type,
        options: given({
          source: paths.resolve(table.source, ["branch", index, "source"]),
          cache: table.cache,
          writeback: table.writeback,
          kernelPassthrough: table.kernel_passthrough,
          remotePosixLock: table.remote_posix_lock,
          remoteFlock: table.remote_flock,
          crossMounts: table.cross_mounts,
          maxDescriptors: table.max_descriptors,
        }),
      };
    case "union": {
      const sources = table.sources.map((source, at) => unionSource(source, ["branch", index, "sources", at], paths));
      return { ...common, type: table.type, sources, createPolicy: table.create };
    }
  }
}

function makeWrappers({ read_only, max_size, hidden, map = {} }: BranchTable): Wrappers {
  const { uid, gid, file_mode, directory_mode } = map;
  const ownership = given<Ownership>({ uid, gid, fileMode: file_mode, directoryMode: directory_mode });
  return given<Wrappers>({ readOnly: read_only, maxSize: max_size, hidden, ownership });
}

/** `PATH`, `PATH:rw` or `PATH:ro`. */
function unionSource(source: string, key: KeyPath, paths: HostPaths): UnionSource {
  const [, path, mode] = /^(.*?)(?::(rw|ro))?$/s.exec(source)!;
  return { path: paths.resolve(path!, key), writable: mode !== "ro" };
}

/** `[run]`. */
export function makeRun(table: RunTable, paths: HostPaths): RunConfig {
  const { workdir, network, shared_memory: sharedMemory } = table;
  // The schema wants a program.
  const command = table.command as [string, ...string[]] | undefined;
  const variables = Object.entries(table.env);
  const env = Object.fromEntries(variables.map(([name, text]) => [name, paths.expand(text, ["run", "env", name])]));
  const binds = (["bind", "ro_bind"] as const).flatMap((list) =>
    table[list].map((bind, index) => makeBind(bind, [list, index], paths))
  );
  return given<RunConfig>({ command, env, workdir, network, binds, sharedMemory });
}

/** `SOURCE` or `SOURCE:TARGET`, where the target is absolute. */
function makeBind(bind: string, key: ["bind" | "ro_bind", number], paths: HostPaths): Bind {
  const [, path, target] = /^(.+?)(?::(\/.*))?$/s.exec(bind)!;
  const source = paths.resolve(path!, ["run", ...key]);
  const inside = target === undefined ? source : posix.resolve(paths.expand(target, ["run", ...key]));
  return { source, target: inside, readOnly: key[0] === "ro_bind", key };
}
