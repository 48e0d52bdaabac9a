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
  await serveAndEnd(`${directory}/hello.ts`, mountpoint, () => unmount(mountpoint));
  await serveAndEnd(`${directory}/hello.ts`, mountpoint, (server) => server.kill("SIGINT"));
  await Deno.remove(directory, { recursive: true });
});

async function serveAndEnd(
  program: string,
  mountpoint: string,
  end: (server: Deno.ChildProcess) => unknown,
): Promise<void> {
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--check", "--no-lock", program],
    stderr: "piped",
  }).spawn();
  const stderr = new Response(server.stderr).text();
  await waitFor("the README's mount", async () => await findMount(mountpoint) !== undefined);
  assertEquals(await Deno.readTextFile(`${mountpoint}/hello`), "Hello from TypeScript\n");
  assertEquals((await Array.fromAsync(Deno.readDir(mountpoint))).map(({ name }) => name), ["hello"]);
  await end(server);
  assertEquals((await server.status).code, 0, await stderr);
  await stderr;
  assertEquals(await findMount(mountpoint), undefined);
}

async function unmount(mountpoint: string): Promise<void> {
  await new Deno.Command("fusermount3", { args: ["-u", mountpoint] }).output();
}
