/** Step with mmap: processes share a file's pages, see map_shared.c. */
import { assertEquals } from "../deps.ts";
import { compile, type Program } from "../support/command.ts";
import type { Place } from "./place.ts";

export async function shareMappedFile(place: Place): Promise<void> {
  await using program = await compileMapShared();
  await runMapShared(place, program);
}

export function compileMapShared(): Promise<Program> {
  return compile([new URL("map_shared.c", import.meta.url)]);
}

export async function runMapShared(place: Place, program: Program): Promise<void> {
  const { directory } = place;
  assertEquals((await place.run([program.path, `${directory}/mapped`])).stdout, "shared\n");
  // The program that was built lives on the host; one that lies in the directory itself must run too.
  await place.run(["cp", program.path, `${directory}/map_shared`]);
  assertEquals((await place.run([`${directory}/map_shared`, `${directory}/mapped`])).stdout, "shared\n");
}
