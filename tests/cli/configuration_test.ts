/** The commands that have a configuration: what they print, and with which exit code they end. */
import { assert, assertEquals } from "../deps.ts";
import { exists, runCli, temporaryFolder } from "../support/cli_process.ts";

Deno.test("init writes a configuration that check takes, and never over one that is there", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/trellis.toml`;
  const written = await runCli(["init", file]);
  assertEquals(written, { code: 0, stdout: `Wrote ${file}; look at it, then: check ${file}\n`, stderr: "" });
  const text = await Deno.readTextFile(file);
  const checked = await runCli(["check", file, "--set", `mount.point=${folder.path}/m`]);
  assertEquals(checked, { code: 0, stdout: `At ${folder.path}/m:\n/  0: memory, at most 64M\n`, stderr: "" });
  const refused = await runCli(["init", file]);
  const stderr = `error: Cannot write ${file}: it exists already; name another file, or remove that one\n`;
  assertEquals(refused, { code: 9, stdout: "", stderr });
  assertEquals(await Deno.readTextFile(file), text);
});

Deno.test("init says why it cannot write", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/nowhere/trellis.toml`;
  const stderr = `error: Cannot write ${file}: its folder does not exist\n`;
  assertEquals(await runCli(["init", file]), { code: 9, stdout: "", stderr });
  assert(!await exists(file));
});

Deno.test("a path that cannot be followed is told as any other that cannot be used", async () => {
  await using folder = await temporaryFolder();
  await Deno.symlink("circle", `${folder.path}/circle`);
  const reasons = {
    [`${folder.path}/circle/t.toml`]: "the path goes round in symbolic links",
    [`${folder.path}/${"t".repeat(256)}`]: "the path is too long",
  };
  for (const [file, reason] of Object.entries(reasons)) {
    const unwritten = `error: Cannot write ${file}: ${reason}\n`;
    assertEquals(await runCli(["init", file]), { code: 9, stdout: "", stderr: unwritten });
    const unread = `error: ${file} has a problem:\n${file}: cannot be read: ${reason}\n`;
    assertEquals(await runCli(["check", file]), { code: 9, stdout: "", stderr: unread });
  }
});

Deno.test("check prints every problem and ends with exit code 9", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/t.toml`;
  await Deno.writeTextFile(
    file,
    '[mount]\nloops = 0\n[[branch]]\npath = "/"\ntype = "passthrough"\nsource = "nowhere"\n',
  );
  const environment = { env: { TRELLIS_MOUNT_PINT: "1" } };
  const { code, stdout, stderr } = await runCli(["check", file, "--set", "run.network=perhaps"], environment);
  assertEquals({ code, stdout }, { code: 9, stdout: "" });
  assertEquals(stderr.trimEnd().split("\n"), [
    `error: ${file} has 4 problems:`,
    `${file}:2:9: mount.loops: expected a whole number from 1 to 16, not 0`,
    `${file}:6:10: branch "/": source: ${folder.path}/nowhere: it does not exist; make it first, or name another directory`,
    'TRELLIS_MOUNT_PINT: unknown; the nearest known one is "TRELLIS_MOUNT_POINT"',
    '--set run.network: run.network: expected true or false, not "perhaps"',
  ]);
});

Deno.test("check takes the trellis.toml of the current folder", async () => {
  const { code, stderr } = await runCli(["check"], { prefix: ["env", "--chdir=/"] });
  assertEquals(code, 9);
  assert(stderr.includes("trellis.toml: cannot be read: it does not exist; `init` writes one"), stderr);
});

Deno.test("explain says where a path comes from and who decided its options", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/t.toml`;
  await Deno.mkdir(`${folder.path}/src`);
  await Deno.writeTextFile(`${folder.path}/src/main.c`, "");
  await Deno.writeTextFile(file, '[[branch]]\npath = "/s"\ntype = "passthrough"\nsource = "src"\nread_only = true\n');
  const { code, stdout, stderr } = await runCli(["explain", "/s/main.c", "-c", file, "-s", "mount.loops=3"]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const lines = stdout.split("\n").map((line) => line.trim().replace(/ +#/, " #"));
  for (
    const says of [
      `branch 1 at /s (${file}:1:1): passthrough of ${folder.path}/src`,
      `from ${folder.path}/src/main.c: a file`,
      `read_only = true # ${file}:5:13`,
      'cache = "auto" # default',
      "loops = 3 # --set mount.loops",
    ]
  ) assert(lines.includes(says), stdout);
});

Deno.test("explain of a path that is nowhere in the tree ends with exit code 2", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/t.toml`;
  await Deno.writeTextFile(file, '[[branch]]\npath = "/"\ntype = "memory"\n');
  const { code, stdout, stderr } = await runCli(["explain", "x", "--config", file, "--set", "mount.point=/mnt"]);
  assertEquals({ code, stdout }, { code: 2, stdout: "" });
  assertEquals(stderr, "error: Cannot explain x: name a path in the tree, from /, or one below /mnt\n");
});
