/** The few structs and numbers of libc and libfuse that are written by hand. */
import * as LIBC from "../../ffi/libc.ts";
import { assertEquals } from "../deps.ts";
import { runC } from "../support/run_c.ts";
import { run } from "../support/command.ts";

/** Sizes and offsets, as the code has them beside their use. */
const STRUCTS: Readonly<Record<string, number>> = {
  "sizeof(struct fuse_args)": 24,
  "offsetof(struct fuse_args, argv)": 8,
  "sizeof(struct pollfd)": 8,
  "offsetof(struct pollfd, events)": 4,
  "sizeof(struct itimerspec)": 32,
  "offsetof(struct itimerspec, it_value.tv_nsec)": 24,
};

const EXPECTED: Readonly<Record<string, number>> = { ...STRUCTS, ...LIBC };

Deno.test("structs and numbers of libc and libfuse are those of the installed headers", async () => {
  const { stdout: flags } = await run(["pkg-config", "--cflags", "fuse3"]);
  const lines = Object.keys(EXPECTED).map((word) => `printf("%d\\n", (int)(${word}));`);
  const output = await runC(
    `#define _GNU_SOURCE
    #define FUSE_USE_VERSION 35
    #include <fcntl.h>
    #include <fuse_lowlevel.h>
    #include <poll.h>
    #include <stddef.h>
    #include <stdio.h>
    #include <sys/epoll.h>
    #include <sys/eventfd.h>
    #include <sys/mman.h>
    #include <sys/mount.h>
    #include <sys/prctl.h>
    #include <sys/socket.h>
    #include <sys/timerfd.h>
    int main(void) { ${lines.join("\n")} return 0; }`,
    flags.trim().split(/\s+/),
  );
  assertEquals(output.trim().split("\n").map(Number), Object.values(EXPECTED));
});

Deno.test("the data of an epoll event reaches the third word, packed or padded", async () => {
  const output = await runC(`#include <stddef.h>
    #include <stdio.h>
    #include <sys/epoll.h>
    int main(void) { printf("%zu", offsetof(struct epoll_event, data)); return 0; }`);
  // 4 (packed) covers the words 1 and 2, 8 (padded) the words 2 and 3.
  assertEquals([4, 8].includes(Number(output)), true, output);
});
