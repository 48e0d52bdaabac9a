/** The union against the kernel's overlayfs: the same random operations on both, the same results, the same trees. */
import { checkModelOfExisting } from "../model/mod.ts";
import { run } from "../support/command.ts";
import { mountTemporarily } from "../support/mounted.ts";

const BRANCHES = ["upper", "middle", "lower"] as const;

/** How many sequences, and beside them directories for those that are tried to shorten one that fails. */
const RUNS = 50;
const DIRECTORIES = 150;

/** What is on the two lower branches before: names of the random operations, so that these meet them. */
const CONTENT = `
  cd "$1/middle/template"
  mkdir -p a/b c; echo middle > a/a; echo middle > b; echo middle > c/d; ln -s a/a d; chmod 750 c; touch -d @1000000000 b
  setfattr -n user.a -v middle b
  mkdir -p a/d/a; echo deep > a/d/a/b; echo more > a/d/c
  cd "$1/lower/template"
  mkdir -p a/b/c d; echo lower > a/a; echo lower > a/c; echo lower > a/b/d; echo lower > c; mkfifo d/a
  truncate -s 20000 a/b/a; chmod 4755 a/c; touch -d @1234567890 a/b
  for branch in upper middle lower; do
    mkdir -p "$1/$branch"
    chmod 755 "$1/$branch"
  done
  for branch in middle lower; do
    for number in $(seq 0 $(($2 - 1))); do cp -a "$1/$branch/template" "$1/$branch/$number"; done
    rm -r "$1/$branch/template"
  done
`;

async function makeBranches(folder: string): Promise<void> {
  for (const branch of BRANCHES) await Deno.mkdir(`${folder}/${branch}/template`, { recursive: true });
  await Deno.remove(`${folder}/upper/template`);
  await run(["sh", "-euc", CONTENT, "sh", folder, String(DIRECTORIES)]);
}

/** Mounts overlayfs over branches in `folder`. Undefined when this kernel has none. */
async function mountOverlay(folder: string): Promise<AsyncDisposable & { path: string } | undefined> {
  const path = `${folder}/overlay`;
  await Deno.mkdir(path);
  await Deno.mkdir(`${folder}/work`);
  const of = (branch: string) => `${folder}/${branch}`;
  // A merged directory can be renamed with redirect_dir only.
  const options = `lowerdir=${of("middle")}:${of("lower")},upperdir=${of("upper")},workdir=${of("work")},` +
    "redirect_dir=on,index=off,metacopy=off,xino=off";
  const { code } = await run(["mount", "-t", "overlay", "overlay", "-o", options, path], { accept: [0, 1, 32] });
  if (code !== 0) return undefined;
  return { path, [Symbol.asyncDispose]: async () => void await run(["umount", "-l", path]) };
}

const noOverlay = Deno.uid() === 0 ? undefined : "overlayfs needs root";

Deno.test({
  name: `random operations have the same results on a union and on overlayfs${
    noOverlay ? ` (skipped: ${noOverlay})` : ""
  }`,
  ignore: noOverlay !== undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "trellis-union-" });
    try {
      for (const side of ["ours", "theirs"]) await makeBranches(`${folder}/${side}`);
      await using overlay = await mountOverlay(`${folder}/theirs`);
      if (overlay === undefined) return console.log("not compared: this kernel has no overlayfs");
      const options = {
        branches: BRANCHES.map((name) => ({ source: `${folder}/ours/${name}`, writable: name === "upper" })),
      };
      const module = new URL("../support/union_module.ts", import.meta.url);
      await using union = await mountTemporarily({ module, options }, { defaultPermissions: true, allowOther: true });
      await checkModelOfExisting(union.path, overlay.path, {
        runs: RUNS,
        commandsPerRun: 120,
        directories: DIRECTORIES,
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
