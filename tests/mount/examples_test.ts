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

/** Whether to skip, with the reason on the screen. */
function skip(condition: boolean, reason: string): boolean {
  // deno-lint-ignore no-console -- a test that is skipped says why
  if (condition) console.log(`skipped: ${reason}`);
  return condition;
}

Deno.test("examples", async (t) => {
  const directory = await Deno.makeTempDir({ prefix: "trellis-examples-" });
  const mountpoint = `${directory}/mnt`;
  await Deno.mkdir(mountpoint);
  const options = ["-f", "-s", "-o", "fsname=example,ro,clone_fd,max_idle_threads=4"];

  await t.step(
    "environment.ts shows the environment as files",
    () =>
      withExample("environment.ts", mountpoint, [], async () => {
        assertEquals(await Deno.readTextFile(`${mountpoint}/TRELLIS_EXAMPLE`), "seen\n");
        assert((await run("ls", [mountpoint])).split("\n").includes("TRELLIS_EXAMPLE"));
      }),
  );

  await t.step("environment.ts leaves nothing of its own after a signal, also as it begins", async () => {
    const url = new URL("environment.ts", EXAMPLES).href;
    const folders = () => Array.fromAsync(Deno.readDir(directory), ({ name }) => name).then((names) => names.sort());
    const before = await folders();
    for (const [signal, isReady] of [["SIGINT", true], ["SIGTERM", true], ["SIGINT", false]] as const) {
      const program = new Deno.Command(Deno.execPath(), {
        args: ["run", "--allow-all", url],
        ...{ stdin: "null", stdout: "piped", stderr: "piped" } as const,
        env: { TMPDIR: directory },
      }).spawn();
      const output = program.stdout.pipeThrough(new TextDecoderStream()).getReader();
      if (isReady) assert((await output.read()).value!.startsWith(`ls ${directory}/`));
      else await waitFor("its folder", async () => (await folders()).length > before.length);
      program.kill(signal);
      const stderr = new Response(program.stderr).text();
      assertEquals([(await program.status).code, await stderr], [0, ""]);
      await output.cancel();
      assertEquals(await folders(), before);
    }
  });

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

  await t.step("hello_ll.ts says its version", async () => {
    assert(/^Trellis \d/.test(await run(Deno.execPath(), ["run", "-A", new URL("hello_ll.ts", EXAMPLES).href, "-V"])));
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

  await t.step("fsel.ts serves libfuse's own poll_client", async () => {
    const client = `${directory}/poll_client`;
    const config = `${directory}/libfuse_config.h`;
    // The client includes what libfuse's build makes, and uses nothing of it.
    await Deno.writeTextFile(config, "");
    await run("gcc", [`-I${directory}`, "-o", client, `${LIBFUSE_EXAMPLES}/poll_client.c`]);
    await withExample("fsel.ts", mountpoint, ["-f"], async () => {
      assertEquals((await run("ls", [mountpoint])).split("\n").filter(Boolean), [..."0123456789ABCDEF"]);
      const lines = (await run("sh", ["-c", `cd ${mountpoint} && timeout 180 ${client}`])).split("\n");
      assertEquals([lines.pop(), lines.length], ["", 16]);
      for (const line of lines) {
        // Which of them are ready, and with how much, depends on how busy the machine is.
        assert(/^(?:(?:_: {2}|[0-9A-F]:\d\d) ){16}$/.test(line), line);
      }
    });
  });

  const release = (await run("uname", ["-r"])).split(".").map((part) => parseInt(part));
  const canPrune = release[0]! > 6 || (release[0] === 6 && release[1]! >= 18);
  const canIncrementEpoch = release[0]! > 6 || (release[0] === 6 && release[1]! >= 16);

  const clocks = ["notify_inval_inode.ts", "notify_store_retrieve.ts", "notify_prune.ts"];
  for (const name of clocks) {
    await t.step({
      name: `${name}: a file that is cached without end shows the time`,
      fn: () =>
        withExample(name, mountpoint, ["-f", "--update-interval=1"], async () => {
          const read = () => run("cat", [`${mountpoint}/current_time`]);
          const first = await read();
          assert(/^The current time is \d\d:\d\d:\d\d\n$/.test(first), first);
          await waitFor("the time to go on", async () => await read() !== first);
        }),
      ignore: skip(name === "notify_prune.ts" && !canPrune, `${name}: prune needs Linux 6.18`),
    });

    await t.step(
      `${name}: with --no-notify the time stands still`,
      () =>
        withExample(name, mountpoint, ["-f", "--no-notify", "--update-interval=1"], async () => {
          const read = () => run("cat", [`${mountpoint}/current_time`]);
          const first = await read();
          const start = Date.now();
          await waitFor("three updates", () => Date.now() > start + 3_000);
          assertEquals(await read(), first);
        }),
    );
  }

  await t.step("notify_inval_entry.ts: an old name is gone, with --no-notify it stays for its timeout", async () => {
    const names = async () => (await run("ls", [mountpoint])).trim();
    const known = async (name: string) => {
      const { success } = await new Deno.Command("stat", {
        args: [`${mountpoint}/${name}`],
        stdout: "null",
        stderr: "null",
      })
        .output();
      return success;
    };
    const epoch = skip(!canIncrementEpoch, "--inc-epoch needs Linux 6.16") ? [] : [["--inc-epoch"]];
    for (const how of [[], ["--only-expire"], ...epoch, ["--no-notify"]]) {
      const args = ["-f", "-s", "--timeout=1000", "--update-interval=1", ...how];
      await withExample("notify_inval_entry.ts", mountpoint, args, async () => {
        let name = "";
        await waitFor("a name to be looked up", async () => await known(name = await names()));
        assert(/^Time_is_\d\dh_\d\dm_\d\ds$/.test(name), name);
        await waitFor("another name", async () => await names() !== name);
        if (how[0] === "--no-notify") {
          assertEquals(await run("stat", ["-c", "%A %h %s", `${mountpoint}/${name}`]), "---------- 1 0\n");
        } else await waitFor(`${name} to be gone`, async () => !await known(name));
      });
    }
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
    const wrong: [args: string[], says: string][] = [
      [["--only-expire", "--inc-epoch"], "exclude each other"],
      [["--timeout=soon"], "--timeout=soon"],
      [["--update-interval="], "--update-interval="],
    ];
    for (const [args, says] of wrong) {
      const program = ["run", "-A", new URL("notify_inval_entry.ts", EXAMPLES).href, ...args, mountpoint];
      const { code, stderr } = await new Deno.Command(Deno.execPath(), { args: program }).output();
      assertEquals([code, new TextDecoder().decode(stderr).includes(says)], [1, true]);
    }
    assertEquals(await findMount(mountpoint), undefined);
  });

  const allOptions: Readonly<Record<string, readonly string[]>> = {
    "notify_inval_inode.ts": ["--update-interval=2", "--no-notify"],
    "notify_inval_entry.ts": ["--update-interval=2", "--no-notify", "--timeout=1.5", "--only-expire"],
    "notify_store_retrieve.ts": ["--update-interval=2", "--no-notify"],
    "notify_prune.ts": ["--update-interval=2", "--no-notify"],
  };
  await t.step("the notify examples take all of their options at once, and end well", async () => {
    for (const [name, own] of Object.entries(allOptions)) {
      await withExample(name, mountpoint, [...own, "-f", "-s", "-o", "fsname=clock,noatime"], async () => {
        assertEquals((await findMount(mountpoint))!.source, "clock");
        assertEquals((await run("ls", [mountpoint])).trim().split("\n").length, 1);
      });
    }
  });

  await t.step("notify_inval_inode.ts says every request with -d", async () => {
    const program = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", new URL("notify_inval_inode.ts", EXAMPLES).href, "-d", mountpoint],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const stderr = new Response(program.stderr).text();
    await waitFor("it to mount", async () => await findMount(mountpoint) !== undefined);
    await run("cat", [`${mountpoint}/current_time`]);
    await run("fusermount3", ["-u", mountpoint]);
    assertEquals((await program.status).code, 0);
    assert(/LOOKUP/i.test(await stderr), await stderr);
  });
  await Deno.remove(directory, { recursive: true });
});
