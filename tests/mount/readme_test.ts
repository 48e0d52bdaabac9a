/** The README's program does what it says. */
import { assert, assertEquals } from "../deps.ts";
import { findMount } from "../../src/connection/mount_table.ts";
import { waitFor } from "../support/mounted.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("the README's filesystem type-checks, mounts and says hello", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const program = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? "";
  assert(program !== "", "the README has no TypeScript");
  const directory = await Deno.makeTempDir();
  const mountpoint = `${directory}/x`;
  await Deno.mkdir(mountpoint);
  const text = program.replace('"./mod.ts"', JSON.stringify(new URL("mod.ts", ROOT).href)).replace(
    "/mnt/x",
    mountpoint,
  );
  await Deno.writeTextFile(`${directory}/hello.ts`, text);
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--check", "--no-lock", `${directory}/hello.ts`],
    stderr: "piped",
  }).spawn();
  const stderr = new Response(server.stderr).text();
  await waitFor("the README's mount", async () => await findMount(mountpoint) !== undefined);
  assertEquals(await Deno.readTextFile(`${mountpoint}/hello`), "Hello from TypeScript\n");
  assertEquals((await Array.fromAsync(Deno.readDir(mountpoint))).map(({ name }) => name), ["hello"]);
  await new Deno.Command("fusermount3", { args: ["-u", mountpoint] }).output();
  assertEquals((await server.status).code, 0, await stderr);
  await stderr;
  await Deno.remove(directory, { recursive: true });
});
