/**
 * A program for a mount some of whose requests fail with `EIO` before anything is done of them: it does each operation until
 * it succeeds, and what it finds then has to be what it made.
 */
import { assertEquals } from "../deps.ts";
import type { Work } from "./server_killer.ts";

const OPERATIONS = 60;
const NAMES = 12;

async function again<Result>(act: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if ((error as { code?: string }).code !== "EIO") throw error;
    }
  }
}

/** The directory's files are known at each moment; they are removed at the end. */
export function stubbornWork(mountpoint: string): Work {
  return async () => {
    const directory = `${mountpoint}/${crypto.randomUUID()}`;
    await again(() => Deno.mkdir(directory));
    const files = new Map<string, string>();
    const anyName = () => `file-${Math.floor(Math.random() * NAMES)}`;
    for (let operation = 0; operation < OPERATIONS; operation++) {
      const [name, other] = [anyName(), anyName()];
      const text = files.get(name);
      const chance = Math.random();
      if (text === undefined || chance < 0.3) {
        const written = `${name} ${operation} `.repeat(Math.floor(Math.random() * 2000));
        await again(() => Deno.writeTextFile(`${directory}/${name}`, written));
        files.set(name, written);
      } else if (chance < 0.5) {
        await again(() => Deno.remove(`${directory}/${name}`));
        files.delete(name);
      } else if (chance < 0.75 && name !== other) {
        await again(() => Deno.rename(`${directory}/${name}`, `${directory}/${other}`));
        files.delete(name);
        files.set(other, text);
      } else {
        assertEquals(await again(() => Deno.readTextFile(`${directory}/${name}`)), text, name);
      }
    }
    const listed = await again(() => Array.fromAsync(Deno.readDir(directory), ({ name }) => name));
    assertEquals(listed.sort(), [...files.keys()].sort());
    for (const [name, text] of files) {
      assertEquals(await again(() => Deno.readTextFile(`${directory}/${name}`)), text, name);
      await again(() => Deno.remove(`${directory}/${name}`));
    }
    await again(() => Deno.remove(directory));
  };
}
