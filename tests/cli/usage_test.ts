/** The command line: help and versions, and what is wrong with arguments before anything is mounted. */
import settings from "../../deno.json" with { type: "json" };
import { assert, assertEquals } from "../deps.ts";
import { exists, runCli, temporaryFolder } from "../support/cli_process.ts";

Deno.test("every level has help on standard output, with exit code 0", async (t) => {
  const levels: [args: string[], says: string[]][] = [
    [["--help"], ["Usage: trellis", "mount", "umount", "doctor", "Exit codes:", "  6  umount"]],
    [["help"], ["Usage: trellis"]],
    [["mount", "--help"], [
      "[source] <mountpoint>",
      "cache=never|auto|always",
      "allow_other",
      "size=SIZE",
      "default_permissions",
      "--background",
      "--log-file",
      "--debug",
    ]],
    [["help", "mount"], ["<mountpoint>"]],
    [["umount", "--help"], ["<mountpoint>", "--lazy"]],
    [["list", "--help"], ["--json", "Ends with 10"]],
    [["status", "--help"], ["[mountpoint]", "--json", "--watch [seconds]"]],
    [["doctor", "--help"], ["--json"]],
    [["init", "--help"], ["[file]"]],
    [["check", "--help"], ["[file]", "--set", "trellis.toml"]],
    [["explain", "--help"], ["<path>", "--config", "--set"]],
    [["reload", "--help"], ["[mountpoint]", "--config", "--dry-run", "--lazy", "--json", "11"]],
  ];
  for (const [args, says] of levels) {
    await t.step(args.join(" "), async () => {
      const { code, stdout, stderr } = await runCli(args);
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      for (const words of says) assert(stdout.includes(words), `"${words}" is not in: ${stdout}`);
    });
  }
});

Deno.test("--version prints the version of deno.json", async () => {
  assertEquals(await runCli(["--version"]), { code: 0, stdout: settings.version + "\n", stderr: "" });
});

Deno.test("wrong arguments end with exit code 2, a message that names them, and nothing made", async (t) => {
  await using folder = await temporaryFolder();
  const mountpoint = `${folder.path}/m`;
  const cases: [args: string[], says: string][] = [
    [[], "Usage: trellis"],
    [["frobnicate"], "'frobnicate'"],
    [["mout", mountpoint], "Did you mean mount?"],
    [["mount"], "no mountpoint is named, and there is no trellis.toml in the current folder"],
    [["mount", "-c", "t.toml", "/usr", mountpoint], "leave out one of the two"],
    [["mount", "-c", "t.toml", "-o", "size=1"], "size"],
    [["mount", "-s", "mount.name=x", mountpoint], "--set"],
    [["run", "--frobnicate", "--", "true"], "'--frobnicate'"],
    [["mount", folder.path, mountpoint, "another"], "too many arguments"],
    [["mount", "", mountpoint], "name a directory as source"],
    [["mount", folder.path, ""], "empty"],
    [["mount", "/usr", mountpoint, "-o", "size=1M"], 'The mount option "size" is for a filesystem in memory'],
    [["mount", mountpoint, "-o", "cache=never"], 'The mount option "cache" is for a mount with a source'],
    [["mount", "/usr", mountpoint, "-o", "writeback,cache=never"], "writeback"],
    [["mount", "--frobnicate", mountpoint], "'--frobnicate'"],
    [["mount", mountpoint, "-o"], "'-o, --options <list>'"],
    [["mount", mountpoint, "-o", "siez=1M"], 'Unknown mount option "siez"; the nearest known one is "size"'],
    [["mount", mountpoint, "-o", "bogus"], 'Unknown mount option "bogus". All: mount --help'],
    [["mount", "-o", "ro,size=big", mountpoint], 'Cannot read the mount option "size=big"'],
    [["mount", "-osize=", mountpoint], "needs a value"],
    [["mount", ""], "empty"],
    [["umount"], "'mountpoint'"],
    [["umount", ""], "empty path"],
    [["umount", "--frobnicate", mountpoint], "'--frobnicate'"],
    [["list", "/mnt"], "too many arguments"],
    [["status", ""], "empty"],
    [["status", "--watch=0"], "from 0.1"],
    [["status", mountpoint, "another"], "too many arguments"],
    [["doctor", "now"], "too many arguments"],
    [["explain"], "'path'"],
    [["reload", ""], "empty path"],
    [["restart", ""], "empty path"],
    [["reload", "/m", "-c", "t.toml"], "name one of them"],
    [["check", "a", "b"], "too many arguments"],
  ];
  for (const [args, says] of cases) {
    await t.step(args.map((arg) => `"${arg.replace(folder.path, "")}"`).join(" ") || "none", async () => {
      const { code, stdout, stderr } = await runCli(args);
      assertEquals({ code, stdout }, { code: 2, stdout: "" }, stderr);
      assert(stderr.includes(says), stderr);
      assert(!/^\s+at .*:\d+:\d+/m.test(stderr), `a stack trace without --debug: ${stderr}`);
      assert(!await exists(mountpoint));
    });
  }
});

Deno.test("--debug shows where an error comes from", async () => {
  const { code, stderr } = await runCli(["--debug", "mount", "/nowhere", "-o", "frobnicate"]);
  assertEquals(code, 2);
  assert(/^\s+at .*mount_options\.ts/m.test(stderr), stderr);
});
