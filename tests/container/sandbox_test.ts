/** What bubblewrap is told of a sandbox, and why namespaces may be forbidden. */
import { explainForbiddenNamespaces } from "../../src/container/namespaces.ts";
import { bubblewrapArguments, type Sandbox } from "../../src/container/sandbox.ts";
import { assert, assertEquals } from "../deps.ts";

const SANDBOX: Sandbox = {
  root: "/mnt/tree",
  command: ["make", "-j2"],
  directory: "/src",
  environment: {},
  network: false,
  binds: [],
  sharedMemory: [],
};

function has(sandbox: Partial<Sandbox>, ...words: string[]): boolean {
  return ` ${bubblewrapArguments({ ...SANDBOX, ...sandbox }).join(" ")} `.includes(` ${words.join(" ")} `);
}

Deno.test("the tree is the root, and the program starts in its directory", () => {
  assertEquals(has({}, "--bind", "/mnt/tree", "/"), true);
  assertEquals(bubblewrapArguments(SANDBOX).slice(-2), ["--chdir", "/src"]);
});

Deno.test("there is a network only where it is asked for", () => {
  assertEquals(has({}, "--unshare-net"), true);
  assertEquals(has({ network: true }, "--unshare-net"), false);
});

Deno.test("host directories and shared memory come after what the sandbox mounts itself", () => {
  const binds = [{ source: "/usr", target: "/usr", readOnly: true }, {
    source: "/a b",
    target: "/tmp/a",
    readOnly: false,
  }];
  const sharedMemory = [{ name: "frames", path: "/dev/shm/x/frames" }];
  const words = bubblewrapArguments({ ...SANDBOX, binds, sharedMemory });
  const at = (...part: string[]) => words.findIndex((_, index) => part.every((word, i) => words[index + i] === word));
  assertEquals(at("--ro-bind", "/usr", "/usr") > at("--tmpfs", "/tmp"), true);
  assertEquals(at("--bind", "/a b", "/tmp/a") > at("--tmpfs", "/tmp"), true);
  assertEquals(at("--bind", "/dev/shm/x/frames", "/dev/shm/frames") > at("--dev", "/dev"), true);
});

Deno.test("a setting that forbids user namespaces is named with its cure", async (t) => {
  const cases: [path: string, value: string, cure: string][] = [
    ["/proc/sys/kernel/unprivileged_userns_clone", "0\n", "sysctl kernel.unprivileged_userns_clone=1"],
    ["/proc/sys/user/max_user_namespaces", "0\n", "sysctl user.max_user_namespaces="],
    ["/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "AppArmor profile"],
  ];
  for (const [path, value, cure] of cases) {
    await t.step(path, async () => {
      const [reason, ...others] = await explainForbiddenNamespaces((asked) =>
        asked === path ? Promise.resolve(value) : Promise.reject(new Deno.errors.NotFound())
      );
      assert((reason!).includes(`${path} is ${value.trim()}`), reason!);
      assert((reason!).includes(cure), reason!);
      assertEquals(others, []);
    });
  }
  assertEquals(await explainForbiddenNamespaces(() => Promise.reject(new Deno.errors.NotFound())), []);
});
