/**
 * What a configuration may say: the one schema, from which errors, the reference in docs/configuration.md and the JSON
 * Schema follow. Descriptions are the reference's text. Paths of the host are expanded and looked for afterwards.
 */
import { CACHE_TIMEOUTS, type CacheMode } from "../layers/passthrough/options.ts";
import { CREATE_POLICIES, type CreatePolicyName } from "../layers/union/policies.ts";
import { z } from "./deps.ts";
import {
  count,
  duration,
  expecting,
  flag,
  hostPath,
  id,
  list,
  mode,
  namePattern,
  size,
  sizeOrPart,
  table,
  text,
  word,
} from "./fields.ts";
import { DESCRIPTORS, LOOPS } from "./values.ts";

/** Node ids hold 12 bits of branch, of which 0 is the root's. */
export const LAST_BRANCH = 4095;

const mount = table({
  point: hostPath().optional().describe("Where to mount. Made when it does not exist, and then removed at the end."),
  name: text("a name", /\S/).default("trellis").describe("The source that `mount` and `df` show."),
  read_only: flag().default(false).describe("Refuse every change, in all branches."),
  allow_other: flag().default(false).describe(
    "Let other users in. An ordinary user needs `user_allow_other` in /etc/fuse.conf.",
  ),
  entry_timeout: duration().optional().describe(
    "How long the kernel believes names. Unless said: as each branch asks for, a second in most.",
  ),
  attr_timeout: duration().optional().describe("How long the kernel believes attributes. Unless said: as above."),
  negative_timeout: duration().prefault(0).describe("How long the kernel believes that a name is not there."),
  max_read: size().optional().describe("The largest read request."),
  loops: count(LOOPS).optional().describe(
    "How many threads serve the mount: one, unless all branches are of type `passthrough` or have threads of their own. " +
      "Unless said: then as many as there are cores, at most four.",
  ),
  growing: flag().default(false).describe(
    "Let `reload` add branches of any type and placement: no feature of the kernel is used that all branches would have to " +
      "know, and reads and writes are at most 128 KiB, which costs some speed.",
  ),
  branch_point_errno: word(["EBUSY", "EPERM"]).default("EBUSY").describe(
    "What refuses to remove, rename or replace a branch point. The kernel says `EBUSY` of its mountpoints.",
  ),
  options: list(text("a mount option"), "a list of mount options").default([]).describe(
    "Further options of mount.fuse3(8), as `mount -o` takes them.",
  ),
}).describe("The mount as a whole.");

const ownership = table({
  uid: id().optional().describe("The owner that every file shows."),
  gid: id().optional().describe("The group that every file shows."),
  file_mode: mode().optional().describe("The permissions that everything but directories shows."),
  directory_mode: mode().optional().describe("The permissions that directories show."),
});

const ANY_BRANCH = {
  path: text("an absolute path in the tree").describe(
    "Where the branch is grafted: absolute and normal. Directories that no branch provides are made up.",
  ),
  id: count([0, LAST_BRANCH]).optional().describe(
    "The branch's number, in node ids: 0 for `/`, and 1, 2, … for the others. Unless said: the lowest free one, in order.",
  ),
  placement: word(["loop", "handler"]).optional().describe(
    "`loop`: served in the mount's loops, at once, as unless said. `handler`: in a thread of its own beside them, so that " +
      "it holds up no other branch. When that dies another takes its place, without what a branch in memory held.",
  ),
  read_only: flag().default(false).describe("Refuse every change."),
  max_size: size().optional().describe(
    "Refuse (`ENOSPC`) what would make the branch's files larger than this together.",
  ),
  hidden: list(namePattern(), "a list of patterns for names").default([])
    .describe("Names that are not there, with `*`, `?` and `[…]` as in the shell."),
  map: ownership.optional().describe(
    "What every file shows in place of its owner, group and permissions: `uid`, `gid`, `file_mode`, `directory_mode`.",
  ),
};

const memory = table({
  type: z.literal("memory"),
  ...ANY_BRANCH,
  size: sizeOrPart().prefault("50%").describe("What the files may hold, also as a part of memory; 0 for no limit."),
  inodes: size().default(0).describe("How many files and directories there may be; 0 for as many as there can be."),
  mode: mode().prefault("755").describe("Permissions of the branch's root."),
  uid: id().optional().describe("Owner of the branch's root. Unless said: who mounts."),
  gid: id().optional().describe("Group of the branch's root. Unless said: who mounts."),
  keep_content: flag().default(false).describe(
    "Have the files outlive the server, which a keeper replaces (docs/keeper.md).",
  ),
}).describe("A filesystem in memory, empty at first and gone at the end.");

const passthrough = table({
  type: z.literal("passthrough"),
  ...ANY_BRANCH,
  source: hostPath().describe("The directory to show."),
  cache: word(Object.keys(CACHE_TIMEOUTS) as [CacheMode, ...CacheMode[]]).default("auto").describe(
    "What the kernel may trust of what it has seen: nothing, all for a second, or all (only the mount changes the source).",
  ),
  writeback: flag().default(false).describe(
    "Gather writes in the cache and send them later; for all branches or none, and not with `never`.",
  ),
  kernel_passthrough: flag().default(true).describe(
    "Let the kernel read and write the source's files itself, where it can.",
  ),
  remote_posix_lock: flag().default(true).describe(
    "Take POSIX record locks in the source too, where its own programs see them. Without, most closes are a request less.",
  ),
  remote_flock: flag().default(true).describe("Take flock(2) locks in the source too."),
  cross_mounts: flag().default(true).describe("Show filesystems that are mounted below the source."),
  max_descriptors: count(DESCRIPTORS).optional().describe(
    "How many descriptors to keep for files that nobody has open. Unless said: half of the limit.",
  ),
}).describe("A directory of the host, as it is.");

const union = table({
  type: z.literal("union"),
  ...ANY_BRANCH,
  sources: list(hostPath(), "a list of directories").min(1, { error: "empty; name at least one directory" }).describe(
    "Directories, each with `:rw` (the default) or `:ro`. Of files with the same path the first one's is seen.",
  ),
  create: word(Object.keys(CREATE_POLICIES) as [CreatePolicyName, ...CreatePolicyName[]]).default("ff").describe(
    "Which writable directory gets a new file: the first (`ff`), the one with the most (`mfs`) or least (`lfs`) free " +
      "or the least used (`lus`) space, any by lot (`rand`), or by lot in proportion to free space (`pfrd`); with `ep`, " +
      "of those that have the parent already; or of those the one where that was changed last (`newest`).",
  ),
}).describe("Several directories of the host at one path; changes go to the writable ones.");

const BRANCHES = [memory, passthrough, union] as const;
const types = BRANCHES.map(({ shape }) => shape.type.value).join(", ");

const branch = z.discriminatedUnion("type", BRANCHES, {
  error: (issue) => {
    if (issue.code !== "invalid_union") return expecting("a table")(issue);
    const { type } = issue.input as { type?: unknown };
    return expecting(`one of ${types}`)({ ...issue, input: type });
  },
});

const sharedMemory = table({
  name: text("a file name", /^(?!\.{1,2}$)[^/]{1,255}$/).describe("Its name in /dev/shm."),
  size: size().describe("Its size."),
});

const BOUND = "Directories and files of the host to show, as `SOURCE` or `SOURCE:TARGET`";

const run = table({
  command: list(text("a word of the command"), "a list: a program and its arguments")
    .min(1, { error: "empty; name a program" }).optional().describe(
      "What `run` starts unless it is given a command: a program and its arguments.",
    ),
  env: z.record(text("a name", /^[^=]+$/), text("text"), { error: expecting("a table of texts") }).default({})
    .describe("Variables to set; `${VAR}` in their values expands."),
  workdir: text("an absolute path", /^\//).default("/").describe("The directory that the command starts in."),
  network: flag().default(false).describe("Share the host's network."),
  bind: list(hostPath(), "a list of paths").default([]).describe(`${BOUND}, writable.`),
  ro_bind: list(hostPath(), "a list of paths").default([]).describe(`${BOUND}, read-only.`),
  shared_memory: list(sharedMemory, "a list of tables").prefault([]).describe(
    "Areas, each with `name` and `size`, that processes inside see as /dev/shm/NAME and those outside as a file.",
  ),
}).describe("A command whose root is the tree.");

/** The schema. */
export const ConfigSchema = table({
  mount: mount.prefault({}),
  branch: z.array(branch, { error: expecting("[[branch]] tables") }).min(1, { error: "empty; add a [[branch]]" }),
  run: run.prefault({}),
});

/** `[mount]`, checked. */
export type MountTable = z.output<typeof mount>;
/** A `[[branch]]`, checked. */
export type BranchTable = z.output<typeof branch>;
/** `[run]`, checked. */
export type RunTable = z.output<typeof run>;
