/** A passthrough filesystem over a new temporary directory, called directly: no kernel, no mount. */
import { NotifyHandler } from "../../src/channels/notify_handler.ts";
import { ROOT_NODE } from "../../src/fs/filesystem.ts";
import type { NodeId, RequestContext } from "../../src/fs/filesystem.ts";
import makeFileSystem, { type PassthroughOptions, prepare, release } from "../../src/layers/passthrough/module.ts";
import { EVICTED, NODES, OPEN_NODES } from "../../src/layers/passthrough/node_memory.ts";
import type { PassthroughFileSystem } from "../../src/layers/passthrough/passthrough_file_system.ts";
import type { Source } from "../../src/layers/passthrough/source.ts";
import { requestContext } from "../support/request_context.ts";

export interface PassthroughSource extends Disposable {
  readonly directory: string;
  readonly filesystem: PassthroughFileSystem;
  readonly shared: Source;
  readonly context: RequestContext;
  path(name: string): string;
  /** Looks a path up component by component and returns the last one's node; throws when there is none. */
  find(path: string): NodeId;
  /** Nodes, those with a descriptor, those without. */
  counts(): { nodes: number; open: number; evicted: number };
}

/** Features that a kernel of today agrees to. */
const FEATURES = ["posix-acl", "dont-mask", "handle-killpriv-v2"];

export interface SourceSetting extends Partial<PassthroughOptions> {
  features?: string[];
  /** Changes what `prepare` found out, such as whether there are file handles. */
  adapt?: (source: Source) => Source;
  parent?: string;
  /** Shows a directory that is there already, and leaves it. */
  existing?: string;
}

export function passthroughSource(setting: SourceSetting = {}): PassthroughSource {
  const { features = FEATURES, adapt = (source: Source) => source, parent, existing, ...options } = setting;
  const directory = existing ??
    Deno.makeTempDirSync({ prefix: "trellis-passthrough-", ...(parent && { dir: parent }) });
  const shared = adapt(prepare({ source: directory, ...options }, 1));
  const filesystem = makeFileSystem({ source: directory, ...options }, { loop: 0, loops: 1, shared });
  filesystem.initialize({
    minor: 45,
    features: new Set(features),
    maxWrite: 1 << 20,
    notifier: new NotifyHandler().notifier,
  });
  const context = requestContext();
  const words = new Int32Array(shared.nodes.buffer);
  return {
    ...{ directory, filesystem, shared, context },
    path: (name) => `${directory}/${name}`,
    find(path) {
      let node = ROOT_NODE;
      for (const name of path.split("/")) {
        const entry = filesystem.lookup(node, name, context);
        if (entry === undefined) throw new Error(`${name} of ${path} is not there`);
        node = entry.node;
      }
      return node;
    },
    counts: () => ({ nodes: words[NODES]!, open: words[OPEN_NODES]!, evicted: words[EVICTED]! }),
    [Symbol.dispose]() {
      filesystem.destroy();
      release(shared);
      if (existing === undefined) Deno.removeSync(directory, { recursive: true });
    },
  };
}

/** How many descriptors this process has for files in or below `directory`. */
export function openDescriptors(directory: string): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (`${Deno.readLinkSync(`/proc/self/fd/${name}`)}/`.startsWith(`${directory}/`)) count++;
    } catch (error) {
      // The one that the directory itself was read with.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return count;
}
