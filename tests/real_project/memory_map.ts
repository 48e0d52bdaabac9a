/** Step with mmap: processes share a file's pages, see map_shared.c. */
import { assertEquals } from "../deps.ts";
import { compile } from "../support/command.ts";
import type { Place } from "./place.ts";

export async function shareMappedFile(place: Place): Promise<void> {
  const { directory } = place;
  await using program = await compile([new URL("map_shared.c", import.meta.url)]);
  assertEquals((await place.run([program.path, `${directory}/mapped`])).stdout, "shared\n");
  // The program that was built lives on the host; one that lies in the directory itself must run too.
  await place.run(["cp", program.path, `${directory}/map_shared`]);
  assertEquals((await place.run([`${directory}/map_shared`, `${directory}/mapped`])).stdout, "shared\n");
}
