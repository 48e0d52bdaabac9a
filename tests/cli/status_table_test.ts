/** How mounts are shown to people. */
import { assertEquals } from "../deps.ts";
import type { MountStatus } from "../../src/cli/mount_status.ts";
import { describeMounts } from "../../src/cli/status_table.ts";

const HEALTHY: MountStatus = {
  mountpoint: "/mnt/x",
  source: "memory",
  type: "fuse.trellis",
  state: "answering",
  connection: 52,
  waiting: 3,
  problem: undefined,
  report: {
    mountpoint: "/mnt/x",
    placement: "loop",
    transport: "device",
    transportReason: "transport=device",
    servers: 2,
    pid: 7,
    noKeeper: "process=same",
    uptimeSeconds: 3725,
    minor: 45,
    features: ["big-writes", "max-pages"],
    operations: {
      LOOKUP: {
        count: 1000,
        errors: { ENOENT: 12, EIO: 1 },
        inFlight: 1,
        queued: 0,
        overflowed: 0,
        timedOut: 0,
        dropped: 0,
        latency: [0, 0, 0, 0, 900, 0, 0, 0, 0, 0, 0, 0, 0, 100],
      },
      READ: { count: 0, errors: {}, inFlight: 1, queued: 0, overflowed: 0, timedOut: 0, dropped: 0, latency: [] },
    },
  },
};

Deno.test("a mount is a line of facts and a table of operations", () => {
  assertEquals(
    describeMounts([HEALTHY], new Map()),
    `/mnt/x: 2 loops, pid 7, up 1 h 2 min, FUSE 7.45, 3 waiting in the kernel
  keeper: none (process=same)
  transport: /dev/fuse (transport=device)
  big-writes max-pages
  operation  count  in flight  queued  dropped  p50 <   p99 <  errors
  LOOKUP      1000          1       0        0  16 µs  8.2 ms  ENOENT 12, EIO 1
  READ           0          1       0        0      -       -`,
  );
});

Deno.test("who keeps a mount and who serves it stand among the facts; without a keeper that is said", () => {
  const { noKeeper: _, ...report } = HEALTHY.report!;
  const lines = (server?: { pid: number; restarts: number; mountedAnew: number }) =>
    describeMounts([{ ...HEALTHY, report: { ...report, ...server && { server } } }], new Map()).split("\n");
  assertEquals(lines()[1], "  keeper: none");
  assertEquals(lines({ pid: 8, restarts: 1, mountedAnew: 0 }).slice(0, 2), [
    "/mnt/x: 2 loops, keeper 7, server 8, 1 restart, up 1 h 2 min, FUSE 7.45, 3 waiting in the kernel",
    "  transport: /dev/fuse (transport=device)",
  ]);
});

Deno.test("which transport runs is said, and why", () => {
  const report = { ...HEALTHY.report!, transport: "uring" as const, transportReason: "every core has a loop\x1b[31m" };
  assertEquals(
    describeMounts([{ ...HEALTHY, report }], new Map()).split("\n")[2],
    "  transport: io_uring (every core has a loop\\u{1b}[31m)",
  );
});

Deno.test("what is wrong stands first, and a server that fell silent has the time of its last answer", () => {
  const silent: MountStatus = {
    ...HEALTHY,
    state: "not answering",
    waiting: undefined,
    report: undefined,
    problem: "Nothing came",
  };
  const last = new Date(2026, 0, 1, 12, 3, 4);
  assertEquals(
    describeMounts([silent], new Map([[52, last]])),
    "/mnt/x: NOT ANSWERING, last answer at 12:03:04\n  Nothing came",
  );
  assertEquals(describeMounts([silent], new Map()), "/mnt/x: NOT ANSWERING\n  Nothing came");
  assertEquals(describeMounts([], new Map()), "No mounts of Trellis by this user.");
});

Deno.test("what a terminal would obey is shown, not sent", () => {
  const shown = describeMounts([{ ...HEALTHY, mountpoint: "/mnt/\x1b[2J\n\u202e", report: undefined }], new Map());
  assertEquals(shown, "/mnt/\\u{1b}[2J\\u{a}\\u{202e}: 3 waiting in the kernel");
});
