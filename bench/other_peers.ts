/** FUSE servers that others wrote, and the host: each at its best settings, and with caches off. */
import { type Caching, noUring, type Peer } from "./peer.ts";
import { compile, isInstalled, run } from "./run_program.ts";

const EXAMPLE = new URL("file:///usr/share/doc/libfuse3-dev/examples/passthrough_ll.c");
const FUSE_NATIVE = "@cocalc/fuse-native@2.4.3";

const here = (name: string) => new URL(name, import.meta.url).pathname;
const passthroughHp = Deno.env.get("TRELLIS_PASSTHROUGH_HP");

/** For servers over libfuse's high-level interface, whose options these are (fuse(8)). */
const HIGH_LEVEL: Readonly<Record<Caching, string>> = {
  off: "entry_timeout=0,attr_timeout=0,direct_io",
  default: "entry_timeout=1,attr_timeout=1",
  best: "entry_timeout=1,attr_timeout=1,kernel_cache",
};

/** For `passthrough_ll`. */
const LOW_LEVEL: Readonly<Record<Caching, string>> = {
  off: "cache=never,timeout=0",
  default: "cache=auto,timeout=1",
  best: "cache=always,timeout=1",
};

/** For mergerfs. */
const MERGED: Readonly<Record<Caching, string>> = {
  off: "cache.files=off,cache.entry=0,cache.attr=0",
  default: "cache.files=auto-full,cache.readdir=true,cache.symlinks=true",
  best: "cache.files=full,cache.readdir=true,cache.symlinks=true",
};

async function needs(program: string, how: string): Promise<string | undefined> {
  return await isInstalled(program) ? undefined : `${program} is not installed (${how})`;
}

/** libfuse's example; `default_permissions` is what all low-level servers here have. */
function passthroughLl(name: string, about: string, ...more: string[]): Peer {
  return {
    name,
    kind: "C",
    about,
    unavailable: (programs) =>
      compile(`${programs}/passthrough_ll`, EXAMPLE, "fuse3").then(
        () => undefined,
        (error: Error) => `${error.message} (apt-get install gcc pkg-config libfuse3-dev)`,
      ),
    command: ({ programs, source, mountpoint }, caching) => [
      `${programs}/passthrough_ll`,
      "-f",
      ...more,
      "-o",
      `source=${source},${LOW_LEVEL[caching]},default_permissions`,
      mountpoint,
    ],
  };
}

function passthroughHpPeer(name: string, about: string, options = ""): Peer {
  return {
    name,
    kind: "C",
    about,
    async unavailable() {
      if (passthroughHp === undefined) return "TRELLIS_PASSTHROUGH_HP does not name the program";
      return options === "" ? undefined : await noUring();
    },
    command: ({ source, mountpoint }, caching) => [
      passthroughHp!,
      "--foreground",
      ...caching === "off" ? ["--nocache"] : [],
      "-o",
      `${options}default_permissions`,
      source,
      mountpoint,
    ],
  };
}

function limitPeer(name: string, about: string, source: string, why?: typeof noUring): Peer {
  return {
    name,
    kind: "limit",
    about,
    sourceless: true,
    fileless: true,
    async unavailable(programs) {
      if (Deno.uid() !== 0) return "it mounts by itself, which needs root";
      const reason = await why?.();
      if (reason !== undefined) return reason;
      return await compile(`${programs}/${name}`, new URL(source, import.meta.url)).then(
        () => undefined,
        (error: Error) => `${error.message} (apt-get install gcc linux-libc-dev)`,
      );
    },
    command: ({ programs, mountpoint }, caching) => [`${programs}/${name}`, mountpoint, caching],
  };
}

/** In the order of the tables. */
export const OTHER_PEERS: readonly Peer[] = [
  { name: "host", kind: "host", about: "the directory itself, without FUSE" },
  limitPeer("limit", "a C program that answers at once, bench/limit.c: what the kernel's part costs", "limit.c"),
  limitPeer(
    "limit-uring",
    "the same over io_uring, bench/limit_uring.c, a thread for each core",
    "limit_uring.c",
    noUring,
  ),
  passthroughLl("c", "libfuse's C passthrough_ll, as many threads as it likes"),
  passthroughLl("c-single", "libfuse's C passthrough_ll, one thread", "-s"),
  passthroughHpPeer("hp", "libfuse's C++ passthrough_hp (3.16 or newer), with the kernel's passthrough"),
  passthroughHpPeer("hp-uring", "the same over io_uring (3.18 or newer)", "io_uring,"),
  {
    name: "bindfs",
    kind: "C",
    about: "bindfs, multithreaded",
    unavailable: () => needs("bindfs", "apt-get install bindfs"),
    command: ({ source, mountpoint }, caching) => [
      "bindfs",
      "-f",
      "--multithreaded",
      "-o",
      HIGH_LEVEL[caching],
      source,
      mountpoint,
    ],
  },
  {
    name: "mergerfs",
    kind: "C",
    about: "mergerfs over two directories, one of them empty",
    unavailable: () => needs("mergerfs", "apt-get install mergerfs"),
    command: ({ source, scratch, mountpoint }, caching) => [
      "mergerfs",
      "-f",
      "-o",
      `minfreespace=0,category.create=ff,${MERGED[caching]}`,
      `${source}:${scratch}`,
      mountpoint,
    ],
  },
  {
    name: "unionfs-fuse",
    kind: "C",
    about: "unionfs-fuse over two directories, one of them empty and read-only",
    unavailable: () => needs("unionfs", "apt-get install unionfs-fuse"),
    command: ({ source, scratch, mountpoint }, caching) => [
      "unionfs",
      "-f",
      "-o",
      `cow,${HIGH_LEVEL[caching]}`,
      `${source}=RW:${scratch}=RO`,
      mountpoint,
    ],
  },
  {
    name: "rclone",
    kind: "other",
    about: "rclone mount of a local directory (Go)",
    unavailable: () => needs("rclone", "apt-get install rclone"),
    command: ({ source, scratch, mountpoint }, caching) => [
      "rclone",
      "mount",
      "--config",
      "",
      "--cache-dir",
      scratch,
      "--links",
      "--default-permissions",
      // Without its own cache of directories it reads the whole directory for each name, and writes nothing in place
      // without one of files.
      ...caching === "off"
        ? ["--attr-timeout", "0", "--vfs-cache-mode", "writes"]
        : ["--attr-timeout", "1s", "--vfs-cache-mode", "full"],
      "--vfs-write-back",
      "1s",
      source,
      mountpoint,
    ],
  },
  {
    name: "pyfuse3",
    kind: "other",
    about: "a passthrough over python3-pyfuse3, bench/pyfuse3_passthrough.py",
    async unavailable() {
      const found = await run("/usr/bin/python3", ["-c", "import pyfuse3, trio"]).then(() => true, () => false);
      return found ? undefined : "python3-pyfuse3 is not installed (apt-get install python3-pyfuse3)";
    },
    command: ({ source, mountpoint }, caching) => [
      "/usr/bin/python3",
      here("pyfuse3_passthrough.py"),
      source,
      mountpoint,
      caching === "off" ? "0" : "1",
    ],
  },
  {
    name: "fuse-native",
    kind: "other",
    about: `a passthrough over npm's ${FUSE_NATIVE} on Node, bench/fuse_native_passthrough.cjs`,
    async unavailable(programs) {
      // npm builds it, with the C compiler and the headers of libfuse 2.
      const install = ["install", "--prefix", programs, "--no-audit", "--no-fund", FUSE_NATIVE];
      return await run("npm", install).then(() => undefined, (error: Error) => {
        const line = error.message.split("\n").find((one) => /not found|ENOENT|ERR_|code E/.test(one));
        return `npm cannot install ${FUSE_NATIVE}, which needs node, npm and libfuse-dev: ${line ?? error.message}`;
      });
    },
    command: ({ programs, source, mountpoint }, caching) => [
      "env",
      `NODE_PATH=${programs}/node_modules`,
      "UV_THREADPOOL_SIZE=8",
      "node",
      here("fuse_native_passthrough.cjs"),
      source,
      mountpoint,
      caching === "off" ? "0" : "1",
    ],
  },
];
