/** How `list` shows mounts to people. */
import { assertEquals } from "../deps.ts";
import type { ListedMount } from "../../src/cli/list.ts";
import { describeList } from "../../src/cli/mount_list.ts";

const HEALTHY: ListedMount = {
  mountpoint: "/mnt/x",
  source: "memory",
  type: "fuse.trellis",
  state: "answering",
  pid: 7,
  server: 8,
  noKeeper: null,
  uptimeSeconds: 3725,
  requests: 1234,
  advice: null,
};

Deno.test("a list has a line for each mount, and below them what to do", () => {
  const unknown = { pid: null, server: null, uptimeSeconds: null, requests: null };
  const stale: ListedMount = {
    ...HEALTHY,
    ...unknown,
    mountpoint: "/mnt/a\x1bb",
    state: "stale",
    advice: "unmount it",
  };
  const gone: ListedMount = { ...HEALTHY, ...unknown, source: null, type: null, state: "not mounted" };
  const own: ListedMount = { ...HEALTHY, server: null };
  const same: ListedMount = { ...own, noKeeper: "process=same" };
  assertEquals(
    describeList([HEALTHY, own, same, stale, gone]),
    `\
mountpoint     source  type          state        pid         up  requests  keeper
/mnt/x         memory  fuse.trellis  answering      7  1 h 2 min      1234  yes
/mnt/x         memory  fuse.trellis  answering      7  1 h 2 min      1234  none
/mnt/x         memory  fuse.trellis  answering      7  1 h 2 min      1234  none (process=same)
/mnt/a\\u{1b}b  memory  fuse.trellis  stale          -          -         -  -
/mnt/x         -       -             not mounted    -          -         -  -
/mnt/a\\u{1b}b: unmount it`,
  );
});

Deno.test("no mounts are said to be none", () => assertEquals(describeList([]), "No mounts of Trellis by this user."));
