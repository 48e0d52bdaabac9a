/** Trellis from a URL: the repository over HTTP, and a script with no import map that mounts with it. */
import { assertEquals } from "../deps.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("mod.ts loads and mounts from a URL", async () => {
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const path = new URL(request.url).pathname.slice(1);
    try {
      return new Response(await Deno.readFile(new URL(path, ROOT)), { headers: { "content-type": "text/typescript" } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
  const directory = await Deno.makeTempDir();
  const script = `${directory}/script.ts`;
  const mountpoint = `${directory}/mnt`;
  await Deno.mkdir(mountpoint);
  const base = `http://127.0.0.1:${server.addr.port}`;
  await Deno.writeTextFile(
    script,
    `import { type FileSystem, mount } from "${base}/mod.ts";
    const filesystem: FileSystem = {
      getAttributes: () => ({ mode: 0o40755 }),
      lookup: (_parent, name) => name === "there" ? { node: 2, attributes: { mode: 0o100644, size: 42 } } : undefined,
    };
    {
      await using session = await mount(filesystem, "${mountpoint}");
      console.log((await Deno.stat(session.mountpoint + "/there")).size);
    }
    {
      const memory = { module: "${base}/src/layers/memory/module.ts", options: {} };
      await using session = await mount(memory, "${mountpoint}");
      await Deno.writeTextFile(session.mountpoint + "/file", "content");
      console.log(await Deno.readTextFile(session.mountpoint + "/file"));
    }`,
  );
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-config", "--no-lock", script],
    cwd: directory,
  }).output();
  const decoder = new TextDecoder();
  assertEquals([success, decoder.decode(stdout)], [true, "42\ncontent\n"], decoder.decode(stderr));
  await Deno.remove(directory, { recursive: true });
});
