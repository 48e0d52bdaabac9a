/** What programs do in a mount whose servers end. Each work leaves nothing behind, and throws when anything is wrong. */
import { checkModel } from "../model/mod.ts";
import { writeDatabase } from "../real_project/database.ts";
import { GIT_CONFIGURATION } from "../real_project/git.ts";
import { compileMapShared, runMapShared } from "../real_project/memory_map.ts";
import { Place } from "../real_project/place.ts";
import { compile, run } from "./command.ts";
import type { Work } from "./server_killer.ts";

/** The works by name. */
export interface StormWorks extends AsyncDisposable {
  readonly model: Work;
  readonly mixed: Work;
  readonly oneFile: Work;
  readonly git: Work;
  readonly database: Work;
  readonly mapping: Work;
}

/** A work is slow while servers end all the time; in seconds. */
const DEADLINE = 1200;

/** Works for the mount at `directory`. */
export async function prepareWorks(directory: string): Promise<StormWorks> {
  const resources = new AsyncDisposableStack();
  const host = await Deno.makeTempDir({ prefix: "trellis-storm-" });
  resources.defer(() => Deno.remove(host, { recursive: true }));
  const compileC = async (path: string) => resources.use(await compile([new URL(path, import.meta.url)]));
  const [mixed, oneFile, mapShared] = [
    await compileC("../torture/mixed.c"),
    await compileC("../torture/fsx.c"),
    resources.use(await compileMapShared()),
  ];
  /** In a directory of its own, which has to be as it was after it. */
  const inPlace = async (work: (place: Place) => Promise<void>) => {
    const own = await Deno.makeTempDir({ dir: directory });
    const place = new Place({ directory: own, host, root: Deno.uid() === 0, deadline: DEADLINE });
    await Deno.writeTextFile(place.gitConfiguration, GIT_CONFIGURATION);
    await work(place);
    await Deno.remove(own, { recursive: true });
  };
  return {
    model: () => checkModel(directory, host, { runs: 2, commandsPerRun: 100 }),
    mixed: () =>
      inPlace(async ({ directory }) => {
        await run([mixed.path, directory, "8", "100", randomSeed()], { deadline: DEADLINE });
      }),
    async oneFile() {
      const seed = randomSeed();
      await run([oneFile.path, `${directory}/fsx-${seed}`, "500", seed], { deadline: DEADLINE });
    },
    git: () => inPlace(commitAndSwitch),
    database: () => inPlace((place) => writeDatabase(place, 20)),
    mapping: () => inPlace((place) => runMapShared(place, mapShared)),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function randomSeed(): string {
  return String(crypto.getRandomValues(new Uint32Array(1))[0]);
}

/** A repository with two branches: what is there is what was recorded, on each. */
async function commitAndSwitch(place: Place): Promise<void> {
  await place.shell(
    `git init --quiet .
     for d in 1 2 3; do mkdir $d; for f in 1 2 3 4; do echo "$d $f" > $d/$f; done; done
     git add . && git commit --quiet -m one
     git switch --quiet -c other
     git mv 1 moved && git rm -q 2/3 && echo more >> 3/1 && ln -s moved link
     git add -A . && git commit --quiet -m two
     for branch in main other main other; do
       git switch --quiet $branch
       test -z "$(git status --porcelain)"
     done
     git gc --quiet --prune=now && git fsck --full --strict
     test "$(cat 3/1)" = "$(printf '3 1\\nmore')"`,
    { cwd: place.directory },
  );
}
