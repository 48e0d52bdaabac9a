/** The examples, run as their users run them. */
import { assert, assertEquals } from "../deps.ts";
import { findMount } from "../../src/connection/mount_table.ts";
import { waitFor } from "../support/mounted.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url);
const LIBFUSE_EXAMPLES = "/usr/share/doc/libfuse3-dev/examples";

/** An example in the foreground, from ready to its end by `fusermount3 -u`. */
async function withExample(
  name: string,
  mountpoint: string,
  args: readonly string[],
  use: () => Promise<void>,
): Promise<void> {
  const program = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", new URL(name, EXAMPLES).href, ...args, mountpoint],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { TRELLIS_EXAMPLE: "seen" },
  }).spawn();
  const stderr = new Response(program.stderr).text();
  await waitFor(`${name} to mount`, async () => await findMount(mountpoint) !== undefined);
  try {
    await use();
  } finally {
    await run("fusermount3", ["-u", mountpoint]);
  }
  assertEquals([(await program.status).code, await stderr], [0, ""]);
}

async function run(command: string, args: readonly string[]): Promise<string> {
  const output = await new Deno.Command(command, { args: [...args] }).output();
  assert(output.success, `${command} ${args.join(" ")}: ${new TextDecoder().decode(output.stderr)}`);
  return new TextDecoder().decode(output.stdout);
}

Deno.test("examples", async (t) => {
  const directory = await Deno.makeTempDir({ prefix: "trellis-examples-" });
  const mountpoint = `${directory}/mnt`;
  await Deno.mkdir(mountpoint);
  const options = ["-f", "-s", "-o", "fsname=example,ro"];

  await t.step(
    "environment.ts shows the environment as files",
    () =>
      withExample("environment.ts", mountpoint, [], async () => {
        assertEquals(await Deno.readTextFile(`${mountpoint}/TRELLIS_EXAMPLE`), "seen\n");
        assert((await run("ls", [mountpoint])).split("\n").includes("TRELLIS_EXAMPLE"));
      }),
  );

  await t.step(
    "hello_ll.ts says hello, read-only, under the name it was given",
    () =>
      withExample("hello_ll.ts", mountpoint, options, async () => {
        assertEquals(await run("cat", [`${mountpoint}/hello`]), "Hello World!\n");
        assertEquals(await run("ls", ["-a", mountpoint]), ".\n..\nhello\n");
        assertEquals(await run("stat", ["-c", "%A %h %s %u", `${mountpoint}/hello`]), "-r--r--r-- 1 13 0\n");
        assertEquals((await findMount(mountpoint))!.source, "example");
      }),
  );

  await t.step("hello_ll.ts goes into the background without -f, and ends with fusermount3 -u", async () => {
    await run(Deno.execPath(), ["run", "-A", new URL("hello_ll.ts", EXAMPLES).href, mountpoint]);
    assertEquals(await run("cat", [`${mountpoint}/hello`]), "Hello World!\n");
    await run("fusermount3", ["-u", mountpoint]);
    assertEquals(await findMount(mountpoint), undefined);
  });

  await t.step("ioctl_ll.ts answers libfuse's own ioctl_client", async () => {
    const client = `${directory}/ioctl_client`;
    await run("gcc", ["-D_FILE_OFFSET_BITS=64", "-o", client, `${LIBFUSE_EXAMPLES}/ioctl_client.c`]);
    await withExample("ioctl_ll.ts", mountpoint, ["-f"], async () => {
      assertEquals(await run(client, [`${mountpoint}/fioc`]), "0\n");
      await run(client, [`${mountpoint}/fioc`, "4321"]);
      assertEquals(await run(client, [`${mountpoint}/fioc`]), "4321\n");
    });
  });

  await t.step("null.ts is 4 GiB of zeros on a file, and swallows what is written", async () => {
    const file = `${directory}/file`;
    await Deno.writeTextFile(file, "");
    await withExample("null.ts", file, ["-f"], async () => {
      assertEquals(await run("stat", ["-c", "%s %F", file]), "4294967296 regular file\n");
      const head = await run("sh", ["-c", `head -c 100000 ${file} | tr -d '\\0' | wc -c`]);
      assertEquals(head.trim(), "0");
      await run("dd", ["if=/dev/urandom", `of=${file}`, "bs=64k", "count=4", "conv=notrunc", "status=none"]);
    });
  });

  await t.step("wrong arguments end with 1 and say what is wrong", async () => {
    for (
      const args of [[], ["--nonsense", mountpoint], ["-f", "-o", "nonsense", mountpoint], [`${directory}/missing`]]
    ) {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", new URL("hello_ll.ts", EXAMPLES).href, ...args],
      }).output();
      assertEquals(code, 1, args.join(" "));
      assert(stderr.length > 0, args.join(" "));
    }
    assertEquals(await findMount(mountpoint), undefined);
  });
  await Deno.remove(directory, { recursive: true });
});
