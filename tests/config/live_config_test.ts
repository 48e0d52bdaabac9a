/** A configuration that is read again: what becomes of it when the mount is late. The mount is made up. */
import { LiveConfig } from "../../src/config/live_config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { type BranchStep, FsError } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { temporaryFolder } from "../support/cli_process.ts";

const ROOT = '[[branch]]\npath = "/"\ntype = "memory"\n';

Deno.test("a change that is made, and for which somebody is late, is not made again", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/t.toml`;
  await Deno.writeTextFile(file, ROOT);
  const live = { loops: 1, separate: false, handlersLater: false };
  const tree = new LiveConfig({ config: await loadConfig(file), flags: [], live });
  const changes: (readonly BranchStep[])[] = [];
  const mount = {
    mountpoint: "/mnt",
    changeBranches: (steps: readonly BranchStep[]) => {
      changes.push(steps);
      return Promise.reject(new FsError("EINPROGRESS", "The branches have changed, but the kernel is late"));
    },
  };
  await Deno.writeTextFile(file, `${ROOT}[[branch]]\npath = "/a"\ntype = "memory"\n`);
  const request = { dryRun: false, lazy: false };
  const first = await tree.reload(mount, request);
  assertEquals([first.applied, first.late], [true, "The branches have changed, but the kernel is late"]);
  const second = await tree.reload(mount, request);
  assertEquals([second.branches, second.applied, second.late, changes.length], [[], true, undefined, 1]);
});
