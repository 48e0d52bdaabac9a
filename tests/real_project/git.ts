/** Steps with git: the repository of these tests cloned, checked and switched between branches. */
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "../deps.ts";
import { run } from "../support/command.ts";
import type { Place } from "./place.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Settings for git: a name to commit under, and repositories of other owners are trusted. */
export const GIT_CONFIGURATION = `[user]
name = A Test
email = test@example.invalid
[safe]
directory = *
[init]
defaultBranch = main
[advice]
detachedHead = false
`;

/**
 * Clones by the file protocol, so that every object is written through the directory; from a copy, since the place's user
 * may not read the repository (one in root's home).
 */
export async function cloneRepository(place: Place): Promise<void> {
  const copy = `${place.host}/repository.git`;
  const clone = ["git", "clone", "--quiet", "--no-hardlinks"];
  await run([...clone, "--bare", `file://${REPOSITORY}`, copy], {
    env: { GIT_CONFIG_GLOBAL: place.gitConfiguration, GIT_CONFIG_NOSYSTEM: "1" },
  });
  await place.run([...clone, `file://${copy}`, `${place.directory}/project`]);
}

/** What was cloned is whole, and equal to what git has recorded. */
export async function checkClone(place: Place): Promise<void> {
  const cwd = `${place.directory}/project`;
  await place.run(["git", "fsck", "--full", "--strict"], { cwd });
  assertEquals((await place.run(["git", "status", "--porcelain"], { cwd })).stdout, "");
  const recorded = await place.run(["git", "ls-tree", "-r", "--name-only", "-z", "HEAD"], { cwd });
  const there = await place.shell("find . -path ./.git -prune -o ! -type d -printf '%P\\0' | sort -z", { cwd });
  const names = (text: string) => text.split("\0").filter((name) => name !== "").sort();
  assertEquals(names(there.stdout), names(recorded.stdout));
}

/** Two branches with many files that differ in content, place, mode and kind; switching makes and removes them. */
export async function switchBranches(place: Place): Promise<void> {
  const cwd = `${place.directory}/branches`;
  await place.run(["git", "init", "--quiet", cwd]);
  await place.shell(
    `for d in $(seq 20); do mkdir -p "common/$d"; for f in $(seq 20); do echo "$d $f" > "common/$d/$f.txt"; done; done
     git add . && git commit --quiet -m one
     git switch --quiet -c other
     for d in $(seq 10); do git rm -rq "common/$d"; done
     for d in $(seq 11 15); do for f in $(seq 20); do echo other >> "common/$d/$f.txt"; done; done
     for d in $(seq 15); do mkdir -p "other/$d/deep"; for f in $(seq 20); do echo "$f" > "other/$d/deep/$f"; done; done
     chmod +x common/16/*.txt; rm -r common/17; echo "a file now" > common/17; ln -s ../other/1 common/link
     git add -A . && git commit --quiet -m two`,
    { cwd },
  );
  const counts = { main: 400, other: 200 - 20 + 1 + 1 + 300 };
  for (const branch of ["main", "other", "main", "other"] as const) {
    await place.run(["git", "switch", "--quiet", branch], { cwd });
    assertEquals(
      (await place.run(["git", "status", "--porcelain"], { cwd })).stdout,
      "",
      `after switching to ${branch}`,
    );
    const { stdout } = await place.shell("find . -path ./.git -prune -o ! -type d -print | wc -l", { cwd });
    assertEquals(Number(stdout), counts[branch], `files on ${branch}`);
  }
  const packed = await place.shell("git gc --quiet --prune=now && git fsck --full && git count-objects -v", { cwd });
  assert(packed.stdout.includes("count: 0\n"), packed.stdout);
}
