/** What a program's world is when its root is a mounted tree, and how bubblewrap is told of it (bwrap(1)). Pure. */

/** A directory or file of the host that is visible inside. */
export interface Bind {
  /** Absolute path on the host. */
  readonly source: string;
  /** Absolute path inside. */
  readonly target: string;
  readonly readOnly: boolean;
}

/** A file on the host whose pages programs on both sides may map: inside it is `/dev/shm/` and its name. */
export interface SharedMemory {
  readonly name: string;
  /** Absolute path on the host. */
  readonly path: string;
}

export interface Sandbox {
  /** The mounted tree: an absolute path on the host. */
  readonly root: string;
  /** The program and its arguments. The program is looked for inside, by the `PATH` of `environment`. */
  readonly command: readonly [string, ...string[]];
  /** Where the program starts: an absolute path inside. */
  readonly directory: string;
  /** All environment variables that the program gets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether the program shares the host's network; it has none otherwise. */
  readonly network: boolean;
  readonly binds: readonly Bind[];
  readonly sharedMemory: readonly SharedMemory[];
}

/** What the sandbox mounts over the tree by itself. The tree must have these directories, or let them be made. */
export const SYSTEM_DIRECTORIES = ["/proc", "/dev", "/tmp"] as const;

/**
 * The arguments of bwrap(1), but for the command. It makes user, mount, pid and ipc namespaces, makes the tree the root
 * (pivot_root(2)), and reaps what the program leaves behind. The program keeps the terminal and its job control, for
 * which `--new-session` would be in the way, and lives when it handles the terminal's Ctrl-C, of which it would die
 * with `--die-with-parent`.
 */
export function bubblewrapArguments(sandbox: Sandbox): string[] {
  const { root, directory, network, binds, sharedMemory } = sandbox;
  return [
    ...["--unshare-user", "--unshare-pid", "--unshare-ipc"],
    ...network ? [] : ["--unshare-net"],
    ...["--bind", root, "/"],
    ...["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"],
    ...binds.flatMap(({ source, target, readOnly }) => [readOnly ? "--ro-bind" : "--bind", source, target]),
    ...sharedMemory.flatMap(({ name, path }) => ["--bind", path, `/dev/shm/${name}`]),
    ...["--chdir", directory],
  ];
}
