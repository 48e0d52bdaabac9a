/** Trees of branches shown by servers that end, on new temporary directories. */
import type { BranchOptions } from "../../src/config/branch_module.ts";
import type { BranchConfig } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { planTree } from "../../src/config/tree_plan.ts";
import type { BranchStep } from "../../src/fs/branches.ts";
import { type KeptMount, mount } from "../../src/mount.ts";

/** Three directories, one in the other, with a directory between them that nobody has. */
export const THREE = `
  [[branch]]
  path = "/"
  type = "passthrough"
  source = "root"
  [[branch]]
  path = "/one"
  type = "passthrough"
  source = "one"
  [[branch]]
  path = "/one/made/two"
  type = "passthrough"
  source = "two"
`;

export interface KeptTree extends AsyncDisposable {
  readonly path: string;
  /** Where the branches' sources are, and the configuration. */
  readonly folder: string;
  readonly kept: KeptMount;
  readonly log: string[];
}

/** What is unlike usual. */
export interface KeptTreeOptions {
  readonly resend?: boolean;
  /** A module that takes the options of a configuration's tree. */
  readonly module?: URL;
  readonly hangTimeout?: number;
}

/** Keeps the tree of a configuration; `sources` are made first. */
export async function keepTree(
  branches: string,
  sources: readonly string[],
  { resend = true, hangTimeout = 120, module }: KeptTreeOptions = {},
): Promise<KeptTree> {
  const [path, folder] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  for (const source of sources) await Deno.mkdir(`${folder}/${source}`);
  const file = `${folder}/trellis.toml`;
  await Deno.writeTextFile(file, branches);
  const { placement, settings } = planTree(await loadConfig(file), 2);
  const log: string[] = [];
  const { control: _, transport: __, ...options } = settings;
  const kept = await mount({ ...placement, ...module && { module } }, path, {
    ...options,
    ...{ process: "separate", resend, restarts: 10_000, hangTimeout },
    log: (message, detail) => log.push(`${message} ${detail}`),
  });
  return {
    ...{ path, folder, kept, log },
    async [Symbol.asyncDispose]() {
      await kept.unmount();
      await Deno.remove(path);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Grafts a directory, as `reload` would. */
export function graftOf(path: string, source: string): BranchStep {
  return graft({ ...anyBranch(path), type: "passthrough", options: { source } });
}

/** Grafts a filesystem in memory that outlives its server. */
export function graftMemory(path: string): BranchStep {
  return graft({ ...anyBranch(path), type: "memory", options: { keepContent: true } });
}

function anyBranch(path: string) {
  return { id: 1, index: 0, path, wrappers: { readOnly: false, hidden: [], ownership: {} } };
}

function graft(branch: BranchConfig): BranchStep {
  const module = new URL("../../src/config/branch_module.ts", import.meta.url);
  const { path } = branch;
  return { action: "graft", path, branch: { module, options: { branch, sharers: 1 } satisfies BranchOptions } };
}
