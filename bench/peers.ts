/** Who is measured: servers that are started on a mountpoint, and the client that is pointed at them. */

const SOURCES = "/usr/share/doc/libfuse3-dev/examples";

/** Compiled programs in a temporary directory, and a tmpfs to serve from. */
export interface Bench extends AsyncDisposable {
  readonly directory: string;
}

/** A peer: `start` mounts it and gives the path to work in. */
export interface Peer {
  readonly name: string;
  start(): Promise<AsyncDisposable & { readonly path: string }>;
}

/** Compiles the client and libfuse's example. @throws with the compiler's words. */
export async function compilePrograms(): Promise<Bench> {
  const directory = await Deno.makeTempDir({ prefix: "trellis-bench-", dir: "/dev/shm" });
  await compile(`${directory}/client`, new URL("client.c", import.meta.url));
  await compile(`${directory}/passthrough_ll`, new URL(`file://${SOURCES}/passthrough_ll.c`), "fuse3");
  return { directory, [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }) };
}

/** Compiles one C source, with a library that pkg-config knows. @throws with the compiler's words. */
export async function compile(program: string, source: URL, library?: string): Promise<void> {
  const flags = library === undefined ? "" : await run("pkg-config", [library, "--cflags", "--libs"]);
  await run("gcc", ["-O2", "-o", program, source.pathname, ...flags.trim().split(/\s+/).filter(Boolean)]);
}

/** The tool's `mount` with `args`. */
function trellis(args: string[]): string[] {
  return [Deno.execPath(), "run", "--allow-all", new URL("../cli.ts", import.meta.url).pathname, "mount", ...args];
}

/** All peers with their default caching, in the order of the table. */
export function cachingPeers({ directory }: Bench): Peer[] {
  return [
    { name: "host", start: () => host(directory) },
    peer(directory, "C passthrough_ll", (source, mountpoint) => [
      `${directory}/passthrough_ll`,
      "-f",
      "-o",
      `source=${source},default_permissions`,
      mountpoint,
    ]),
    peer(directory, "passthrough", (source, mountpoint) => trellis([source, mountpoint])),
  ];
}

/** All peers with the kernel's caches off, in the order of the table. */
export function peers({ directory }: Bench, uring: boolean): Peer[] {
  const off = "attr_timeout=0,entry_timeout=0";
  const passthrough = (source: string, mountpoint: string, loops: number, transport = "device") =>
    trellis(["-o", `cache=never,loops=${loops},transport=${transport}`, source, mountpoint]);
  const cores = navigator.hardwareConcurrency;
  const hp = Deno.env.get("TRELLIS_PASSTHROUGH_HP");
  return [
    { name: "host", start: () => host(directory) },
    peer(directory, "C passthrough_ll", (source, mountpoint) => [
      `${directory}/passthrough_ll`,
      "-f",
      "-o",
      // The kernel checks permissions for both sides: with caches off that costs a GETATTR of the folder.
      `source=${source},cache=never,timeout=0,default_permissions`,
      mountpoint,
    ]),
    peer(directory, "passthrough, 1 loop", (source, mountpoint) => passthrough(source, mountpoint, 1)),
    peer(directory, "passthrough, 2 loops", (source, mountpoint) => passthrough(source, mountpoint, 2)),
    peer(directory, "memory", (_source, mountpoint) => trellis(["-o", `${off},transport=device`, mountpoint])),
    ...!uring ? [] : [
      peer(directory, "passthrough, uring", (source, mountpoint) => passthrough(source, mountpoint, cores, "uring")),
      ...hp === undefined ? [] : [
        peer(directory, "C++ hp, uring", (source, mountpoint) => [
          hp,
          "--foreground",
          "--nocache",
          "-o",
          "io_uring,default_permissions",
          source,
          mountpoint,
        ]),
      ],
      peer(directory, "memory, uring", (_source, mountpoint) => trellis(["-o", `${off},transport=uring`, mountpoint])),
    ],
  ];
}

async function host(directory: string): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ dir: directory });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** A server that is started with a source and a mountpoint of its own, and unmounted at the end. */
export function peer(directory: string, name: string, command: (source: string, mountpoint: string) => string[]): Peer {
  return {
    name,
    async start() {
      const source = await Deno.makeTempDir({ dir: directory });
      const path = await Deno.makeTempDir({ dir: directory });
      const [program, ...args] = command(source, path);
      const server = new Deno.Command(program!, { args, stdin: "null", stdout: "null", stderr: "inherit" }).spawn();
      await waitForMount(path);
      return {
        path,
        async [Symbol.asyncDispose]() {
          await run("fusermount3", ["-u", path]);
          await server.status;
          await Deno.remove(path);
          await Deno.remove(source, { recursive: true });
        },
      };
    },
  };
}

/** Resolves when something is mounted on `path`. @throws after ten seconds. */
export async function waitForMount(path: string): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
    if ((await Deno.readTextFile("/proc/self/mountinfo")).includes(` ${path} `)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Nothing was mounted on ${path}`);
}

/** Microseconds per operation, as the client measured. */
export async function runClient(
  { directory }: Bench,
  path: string,
  operation: string,
  count: number,
  processes: number,
): Promise<number> {
  return Number(await run(`${directory}/client`, [path, operation, String(count), String(processes)]));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** What a program prints. @throws with what it complains of. */
export async function run(command: string, args: string[]): Promise<string> {
  const output = await new Deno.Command(command, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  if (!output.success) throw new Error(`${command} failed: ${decoder.decode(output.stderr)}`);
  return decoder.decode(output.stdout);
}
