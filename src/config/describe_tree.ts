/** A configuration's tree as text, as it will be when it is mounted. */
import type { BranchConfig, Config, Wrappers } from "./config.ts";
import { formatSize } from "./size_text.ts";

/** A directory that is a branch point, or a parent of one. */
interface Directory {
  readonly branch?: BranchConfig | undefined;
  /** The branch that is nearest above it. */
  readonly around?: BranchConfig | undefined;
  readonly children: ReadonlyMap<string, Directory>;
}

/** A line for each branch point and each directory above one, with what is there. */
export function describeTree({ branches }: Config): string {
  const root = makeDirectory("", new Map(branches.map((branch) => [branch.path, branch])));
  const lines = [["/", describeDirectory(root)], ...drawChildren(root, "")];
  const width = Math.max(...lines.map(([name]) => name!.length));
  return lines.map(([name, description]) => `${name!.padEnd(width)}  ${description}`.trimEnd()).join("\n");
}

type Branches = ReadonlyMap<string, BranchConfig>;

function makeDirectory(path: string, branches: Branches, around?: BranchConfig): Directory {
  const branch = branches.get(path || "/");
  const below = branches.keys().filter((branch) => branch !== "/" && branch.startsWith(path + "/"));
  const names = new Set(below.map((branch) => branch.slice(path.length + 1).split("/")[0]!));
  const makeChild = (name: string) => makeDirectory(`${path}/${name}`, branches, branch ?? around);
  return { branch, around, children: new Map([...names].sort().map((name) => [name, makeChild(name)])) };
}

function drawChildren({ children }: Directory, indent: string): string[][] {
  return [...children].flatMap(([name, directory], index) => {
    const isLast = index === children.size - 1;
    const line = [indent + (isLast ? "└── " : "├── ") + name, describeDirectory(directory)];
    return [line, ...drawChildren(directory, indent + (isLast ? "    " : "│   "))];
  });
}

function describeDirectory({ branch, around, children }: Directory): string {
  if (branch === undefined && children.size === 0) return "(empty)";
  // Where the branch around it has the directory, it shows that one.
  if (branch === undefined && around !== undefined && around.type !== "memory") {
    return `(what ${around.id} has there, and what is below)`;
  }
  if (branch === undefined) return "(only what is below)";
  return [`${branch.id}: ${describeBranch(branch)}`, ...describeWrappers(branch.wrappers), ...describePlacement(branch)]
    .join(", ");
}

/** What a branch is, in a few words: its type and what it shows. */
export function describeBranch(branch: BranchConfig): string {
  switch (branch.type) {
    case "memory":
      return `memory, ${branch.options.size ? `at most ${formatSize(branch.options.size)}` : "without a limit"}`;
    case "passthrough":
      return `passthrough of ${branch.options.source}`;
    case "union": {
      const sources = branch.sources.map(({ path, writable }) => `${path} (${writable ? "rw" : "ro"})`);
      return `union of ${sources.join(" and ")}`;
    }
  }
}

function describePlacement({ placement }: BranchConfig): string[] {
  return placement === "handler" ? ["in a thread of its own"] : [];
}

function describeWrappers({ readOnly, maxSize, hidden, ownership }: Wrappers): string[] {
  const shown = Object.keys(ownership).length > 0;
  return [
    ...readOnly ? ["read-only"] : [],
    ...maxSize === undefined ? [] : [`its files at most ${formatSize(maxSize)}`],
    ...hidden.length === 0 ? [] : [`without ${hidden.join(" ")}`],
    ...shown ? ["with owners or permissions mapped"] : [],
  ];
}
