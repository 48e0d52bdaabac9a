/** What a program finds inside: its environment, and what the tree has for the sandbox to mount on. */
import { environmentInside, planMountTargets } from "../../src/cli/sandbox_plan.ts";
import { assertEquals } from "../deps.ts";

Deno.test("of the caller's environment only what is for talking to people gets in", () => {
  const caller = {
    TERM: "xterm",
    LC_ALL: "C",
    TZ: "UTC",
    PATH: "/mine",
    HOME: "/home/a",
    SECRET: "x",
    SSH_AUTH_SOCK: "/s",
  };
  const { PATH, ...others } = environmentInside({ EDITOR: "vi", TZ: "CET" }, caller);
  assertEquals(others, { HOME: "/tmp", TERM: "xterm", LC_ALL: "C", TZ: "CET", EDITOR: "vi" });
  assertEquals(PATH!.split(":").includes("/usr/bin"), true);
  assertEquals(environmentInside({ PATH: "/opt" }, caller)["PATH"], "/opt");
});

Deno.test("the tree has what the sandbox mounts on, but for what lies below another mount", async (t) => {
  const bind = (target: string) => ({ source: `/host${target}`, target, readOnly: true, key: [] });
  const cases: Record<string, [targets: string[], workdir: string, directories: string[], files: string[]]> = {
    "nothing asked for": [[], "/", [], []],
    "a directory and a file": [["/usr", "/etc/file"], "/", ["/usr"], ["/etc/file"]],
    "the directory to start in": [[], "/work//here/", ["/work/here"], []],
    "a directory to start in below a bind": [["/usr"], "/usr/src", ["/usr"], []],
    "in the sandbox's own": [["/tmp/x", "/dev/file", "/tmpfile"], "/tmp/y", [], ["/tmpfile"]],
    "binds in binds": [["/a", "/a/b", "/a/file", "/ab"], "/", ["/a", "/ab"], []],
  };
  for (const [name, [targets, workdir, directories, files]] of Object.entries(cases)) {
    await t.step(name, () => {
      const planned = planMountTargets({ binds: targets.map(bind), workdir }, (source) => source.endsWith("file"));
      assertEquals(planned, { directories: ["/proc", "/dev", "/tmp", ...directories], files });
    });
  }
});
