/** The real-project test: what people do with a directory, by the tools they do it with. */
import { requireTools, type User } from "../support/command.ts";
import { assertEquals } from "../deps.ts";
import { buildProject } from "./build.ts";
import { archive, copySparse, synchronizeTree } from "./copies.ts";
import { writeDatabase } from "./database.ts";
import { checkClone, cloneRepository, GIT_CONFIGURATION, switchBranches } from "./git.ts";
import { shareMappedFile } from "./memory_map.ts";
import { Place } from "./place.ts";
import { searchTree } from "./search.ts";

const TOOLS = [
  ...["awk", "cmp", "cp", "dd", "diff", "du", "find", "gcc", "getfattr", "git", "grep", "gzip", "head", "make"],
  ...["mkfifo", "mknod", "rsync", "setfattr", "sha256sum", "sqlite3", "stat", "tar", "truncate"],
];

/** In order: later steps use what earlier ones made. */
const STEPS: [name: string, step: (place: Place) => Promise<void>][] = [
  ["git clones the repository of these tests", cloneRepository],
  ["git fsck finds nothing, git status is clean, and every file is there", checkClone],
  ["git switches between two branches of many files", switchBranches],
  ["tar takes the project out and brings it in again", archive],
  ["make builds a C project, and later only what changed", buildProject],
  ["sqlite3 keeps a database of two concurrent writers whole in WAL mode", writeDatabase],
  ["rsync -aHAX copies everything, and nothing the second time", synchronizeTree],
  ["cp --sparse=always keeps contents and holes", copySparse],
  ["find and grep count what was made", searchTree],
  ["processes share what they store in a mapped file", shareMappedFile],
];

/** How to run the real-project test. */
export interface RealProjectOptions {
  /** The commands run as root, and the directory takes device nodes and foreign owners. */
  root: boolean;
  /** Whom the commands run as; only root can choose. Default: the caller. */
  user?: User;
}

/** Works in `directory`, which must exist, be writable for the user and be empty, and leaves it empty. */
export async function realProject(t: Deno.TestContext, directory: string, options: RealProjectOptions): Promise<void> {
  await requireTools(TOOLS);
  const { root, user } = options;
  const host = await Deno.makeTempDir({ prefix: "trellis-project-" });
  if (user) await Deno.chown(host, user.uid, user.gid);
  const place = new Place({ directory, host, root, user });
  await Deno.writeTextFile(place.gitConfiguration, GIT_CONFIGURATION);
  try {
    for (const [name, step] of STEPS) await t.step(name, () => step(place));
    await t.step("rm removes it all", async () => {
      await place.run(["find", directory, "-mindepth", "1", "-maxdepth", "1", "-exec", "rm", "-r", "{}", "+"]);
      assertEquals((await place.run(["ls", "-A", directory])).stdout, "");
    });
  } finally {
    await Deno.remove(host, { recursive: true });
  }
}
