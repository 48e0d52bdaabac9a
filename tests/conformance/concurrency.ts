/** Several processes at once: what must happen as if one after the other. */

import { assert, assertEquals } from "../deps.ts";
import type { PosixClient } from "../support/posix_client.ts";
import { list, readFile, type Scene, type Subject, test, writeFile } from "./subject.ts";

const PROCESSES = 4;

/** Runs `act` in several processes at the same time. */
async function together<T>(scene: Scene, act: (client: PosixClient, index: number) => Promise<T>): Promise<T[]> {
  await using stack = new AsyncDisposableStack();
  const clients: PosixClient[] = [];
  for (let index = 0; index < PROCESSES; index++) clients.push(stack.use(await scene.start()));
  return await Promise.all(clients.map(act));
}

function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(() => "ok", (error) => error.code ?? String(error));
}

function count(outcomes: readonly string[], wanted: string): number {
  return outcomes.filter((outcome) => outcome === wanted).length;
}

/** Checks that of each round's outcomes exactly one is "ok" and the rest are `loser`. */
function expectOneWinner(outcomes: readonly string[][], loser: string): void {
  for (let round = 0; round < outcomes[0]!.length; round++) {
    const ofRound = outcomes.map((ofProcess) => ofProcess[round]!);
    assertEquals([count(ofRound, "ok"), count(ofRound, loser)], [1, PROCESSES - 1], `round ${round}: ${ofRound}`);
  }
}

const ROUNDS = Array.from({ length: 50 }, (_, round) => round);

export const concurrency: Subject = {
  "O_APPEND loses no line and mixes none": test(async (scene) => {
    await together(scene, async (client, index) => {
      const file = await client.open("file", "O_WRONLY|O_CREAT|O_APPEND");
      await Promise.all(
        ROUNDS.map((round) => client.write(file, `process ${index} line ${round} ${"x".repeat(50)}\n`)),
      );
    });
    const lines = (await readFile(scene.client, "file")).split("\n").slice(0, -1);
    assertEquals(lines.length, PROCESSES * ROUNDS.length);
    for (let index = 0; index < PROCESSES; index++) {
      const own = lines.filter((line) => line.startsWith(`process ${index} `));
      assertEquals(own, ROUNDS.map((round) => `process ${index} line ${round} ${"x".repeat(50)}`));
    }
  }),

  "of several that create with O_EXCL exactly one wins": test(async (scene) => {
    const outcomes = await together(
      scene,
      (client) => Promise.all(ROUNDS.map((round) => outcome(client.open(`file${round}`, "O_WRONLY|O_CREAT|O_EXCL")))),
    );
    expectOneWinner(outcomes, "EEXIST");
  }),

  "of several that create without it all get the same file": test(async (scene) => {
    const inodes = await together(scene, (client) =>
      Promise.all(ROUNDS.map(async (round) => {
        const file = await client.open(`file${round}`, "O_WRONLY|O_CREAT");
        return (await client.fstat(file)).inode;
      })));
    for (const round of ROUNDS) assertEquals(new Set(inodes.map((ofProcess) => ofProcess[round])).size, 1);
  }),

  "of several that make a directory exactly one wins, and so for links and removal": test(async (scene) => {
    await writeFile(scene.client, "target", "");
    const race = (act: (client: PosixClient, round: number) => Promise<unknown>) =>
      together(scene, (client) => Promise.all(ROUNDS.map((round) => outcome(act(client, round)))));
    expectOneWinner(await race((client, round) => client.mkdir(`name${round}`)), "EEXIST");
    expectOneWinner(await race((client, round) => client.rmdir(`name${round}`)), "ENOENT");
    expectOneWinner(await race((client, round) => client.symlink("target", `name${round}`)), "EEXIST");
    expectOneWinner(await race((client, round) => client.unlink(`name${round}`)), "ENOENT");
    expectOneWinner(await race((client, round) => client.link("target", `name${round}`)), "EEXIST");
    assertEquals((await scene.client.stat("target")).linkCount, ROUNDS.length + 1);
  }),

  "of several that rename one file exactly one wins": test(async (scene) => {
    for (const round of ROUNDS) await writeFile(scene.client, `from${round}`, `${round}`);
    const outcomes = await together(
      scene,
      (client, index) =>
        Promise.all(ROUNDS.map((round) => outcome(client.rename(`from${round}`, `to${round}-${index}`)))),
    );
    expectOneWinner(outcomes, "ENOENT");
    assertEquals((await list(scene.client, ".")).length, ROUNDS.length);
  }),

  "a name that is replaced over and over is never missing": test(async (scene) => {
    await writeFile(scene.client, "name", "content");
    const outcomes = await together(scene, async (client, index) => {
      const results: string[] = [];
      for (const round of ROUNDS) {
        if (index < 2) {
          await writeFile(client, `new${index}`, "content");
          results.push(await outcome(client.rename(`new${index}`, "name")));
        } else {
          results.push(await readFile(client, "name").catch((error) => `${round}: ${error.code}`));
        }
      }
      return results;
    });
    assertEquals(new Set(outcomes.flat()), new Set(["ok", "content"]));
  }),

  "exchanging over and over loses nothing": test(async (scene) => {
    await writeFile(scene.client, "one", "1");
    await writeFile(scene.client, "two", "2");
    const outcomes = await together(
      scene,
      (client) => Promise.all(ROUNDS.map(() => outcome(client.renameat2("one", "two", "RENAME_EXCHANGE")))),
    );
    assertEquals(count(outcomes.flat(), "ok"), PROCESSES * ROUNDS.length);
    // An even number of exchanges ends where it began.
    assertEquals([await readFile(scene.client, "one"), await readFile(scene.client, "two")], ["1", "2"]);
  }),

  "directories moved about below each other never form a ring": test(async (scene) => {
    for (const name of ["a", "a/b", "c", "c/d"]) await scene.client.mkdir(name);
    await together(scene, async (client, index) => {
      const moves = [["a", "c/d/a"], ["c/d/a", "a"], ["c", "a/b/c"], ["a/b/c", "c"]] as const;
      for (const round of ROUNDS) {
        const [from, to] = moves[(round + index) % moves.length]!;
        const result = await outcome(client.rename(from, to));
        assert(["ok", "ENOENT", "EINVAL", "ENOTEMPTY", "EEXIST"].includes(result), `${from} to ${to}: ${result}`);
      }
    });
    let found = 0;
    const walk = async (path: string): Promise<void> => {
      for (const name of await list(scene.client, path)) {
        found++;
        await walk(`${path}/${name}`);
      }
    };
    await walk(".");
    assertEquals(found, 4);
  }),

  "many names in one directory, from all sides": test(async (scene) => {
    await together(scene, async (client, index) => {
      await Promise.all(ROUNDS.map((round) => client.mknod(`${index}-${round}`, "S_IFREG")));
      await Promise.all(ROUNDS.map((round) => client.rename(`${index}-${round}`, `renamed-${index}-${round}`)));
      const odd = ROUNDS.filter((round) => round % 2 === 1);
      await Promise.all(odd.map((round) => client.unlink(`renamed-${index}-${round}`)));
    });
    assertEquals((await list(scene.client, ".")).length, PROCESSES * ROUNDS.length / 2);
  }),

  "writes of different places all arrive": test(async (scene) => {
    const size = 64 * 1024;
    await together(scene, async (client, index) => {
      const file = await client.open("file", "O_RDWR|O_CREAT");
      for (let piece = 0; piece < 16; piece++) {
        await client.pwritePattern(file, (piece * PROCESSES + index) * size, size, index);
      }
    });
    const file = await scene.client.open("file", "O_RDONLY");
    assertEquals((await scene.client.fstat(file)).size, 16 * PROCESSES * size);
    for (let piece = 0; piece < 16 * PROCESSES; piece++) {
      assertEquals(await scene.client.differsFromPattern(file, piece * size, size, piece % PROCESSES), undefined);
    }
  }),

  "a counter kept under a lock counts right": test(async (scene) => {
    await writeFile(scene.client, "counter", "0");
    await together(scene, async (client) => {
      const file = await client.open("counter", "O_RDWR");
      for (let round = 0; round < 25; round++) {
        await client.setLock(file, "F_SETLKW", "F_WRLCK");
        const value = Number(new TextDecoder().decode(await client.pread(file, 20, 0)));
        await client.pwrite(file, String(value + 1), 0);
        await client.setLock(file, "F_SETLK", "F_UNLCK");
      }
    });
    assertEquals(await readFile(scene.client, "counter"), String(PROCESSES * 25));
  }),
};
