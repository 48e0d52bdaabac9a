/** Trellis as a peer: its layers, placements and transports. */
import type { CacheMode } from "../src/layers/passthrough/options.ts";
import { type Caching, noUring, type Peer, type Place } from "./peer.ts";

const CORES = navigator.hardwareConcurrency;
const BRANCHES = 100;

const here = (name: string) => new URL(name, import.meta.url).pathname;

/** The tool's `mount` with `args`, which say who serves: what is not about keepers goes without. */
function tool(...args: string[]): string[] {
  return [Deno.execPath(), "run", "--allow-all", here("../cli.ts"), "mount", ...args];
}

/** Who keeps record locks: the kernel, as for all peers in C, none of which hands them to its source. */
const LOCKS = "no_remote_posix_lock";

/** How a directory is shown. */
const CACHE: Readonly<Record<Caching, CacheMode>> = { off: "never", default: "auto", best: "always" };

/** For how long names and attributes are believed, in seconds. */
const timeoutOf = (caching: Caching) => (caching === "off" ? 0 : 1);

function passthrough(name: string, about: string, options: string, process = "same"): Peer {
  return {
    name,
    kind: "trellis",
    about,
    command({ source, mountpoint }, caching) {
      const seconds = timeoutOf(caching);
      const cache = `cache=${CACHE[caching]},entry_timeout=${seconds},attr_timeout=${seconds}`;
      return tool("-o", `process=${process},${cache},${options}`, source, mountpoint);
    },
  };
}

/** A tree as a configuration has it. */
function configured(name: string, about: string, tree: (place: Place, caching: Caching) => string): Peer {
  return {
    name,
    kind: "trellis",
    about,
    async command(place, caching) {
      const file = `${place.programs}/${name}-${crypto.randomUUID()}.toml`;
      const seconds = timeoutOf(caching);
      const mount = `[mount]\nentry_timeout = "${seconds}s"\nattr_timeout = "${seconds}s"\n`;
      await Deno.writeTextFile(file, mount + tree(place, caching));
      return tool("-o", "process=same,transport=device", "--config", file, place.mountpoint);
    },
  };
}

function handler(name: string, about: string, workers: number): Peer {
  const server = [Deno.execPath(), "run", "--allow-all", here("handler_server.ts")];
  return {
    name,
    kind: "trellis",
    about,
    command: ({ source, mountpoint }, caching) => [
      ...[...server, source, mountpoint],
      ...[CACHE[caching], timeoutOf(caching), workers].map(String),
    ],
  };
}

/** How many loops are measured. */
const LOOPS = [...new Set([1, 2, CORES])];

/** In the order of the tables. */
export const OUR_PEERS: readonly Peer[] = [
  ...LOOPS.map((loops) =>
    passthrough(
      `loops-${loops}`,
      `layers/passthrough, ${loops} ${loops === 1 ? "loop" : "loops"}`,
      `transport=device,loops=${loops},${LOCKS}`,
    )
  ),
  passthrough(
    "kept",
    "layers/passthrough, 2 loops, with a keeper, as the tool mounts by default",
    `loops=2,${LOCKS}`,
    "separate",
  ),
  passthrough("remote-locks", "layers/passthrough, 1 loop, record locks in the source too", "transport=device,loops=1"),
  passthrough(
    "read-here",
    `layers/passthrough, ${CORES} loops, data not passed through by the kernel`,
    `transport=device,loops=${CORES},${LOCKS},no_kernel_passthrough`,
  ),
  {
    ...passthrough(
      "uring",
      `layers/passthrough, ${CORES} loops over io_uring`,
      `transport=uring,loops=${CORES},${LOCKS}`,
    ),
    unavailable: noUring,
  },
  handler("handler", "layers/passthrough as an object in placement handler", 0),
  handler("workers", "layers/passthrough in placement handler, 2 workers", 2),
  {
    ...configured("branch", `layers/passthrough as one of ${BRANCHES} branches`, ({ source, scratch }, caching) => {
      const branch = (path: string, directory: string) =>
        `[[branch]]\npath = "${path}"\ntype = "passthrough"\nsource = "${directory}"\ncache = "${
          CACHE[caching]
        }"\nremote_posix_lock = false\n`;
      const others = Array.from({ length: BRANCHES - 1 }, (_, nth) => branch(`/other/${nth}`, scratch));
      return [branch("/src", source), ...others].join("");
    }),
    folder: "src",
  },
  configured(
    "union",
    "layers/union over two directories, one of them empty and read-only",
    ({ source, scratch }) => `[[branch]]\npath = "/"\ntype = "union"\nsources = ["${source}:rw", "${scratch}:ro"]\n`,
  ),
  {
    name: "memory",
    kind: "trellis",
    about: "layers/memory",
    sourceless: true,
    command: ({ mountpoint }, caching) => {
      const seconds = timeoutOf(caching);
      return tool("-o", `process=same,transport=device,entry_timeout=${seconds},attr_timeout=${seconds}`, mountpoint);
    },
  },
];

/** Who has the given number of loops: what further loops cost is measured with them. */
export function withLoops(loops: number): Peer {
  return passthrough(
    `loops-${loops}`,
    `layers/passthrough, ${loops} loops`,
    `transport=device,loops=${loops},${LOCKS}`,
  );
}
