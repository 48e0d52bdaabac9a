/** The few structs and numbers of libc and libfuse that src/connection and src/transport write by hand. */
import { assertEquals } from "../deps.ts";
import { runC } from "../support/run_c.ts";
import { run } from "../support/command.ts";

/** As the code has them; each file says them beside their use. */
const EXPECTED: Readonly<Record<string, number>> = {
  "sizeof(struct fuse_args)": 24,
  "offsetof(struct fuse_args, argv)": 8,
  "sizeof(struct pollfd)": 8,
  "offsetof(struct pollfd, events)": 4,
  "POLLIN": 1,
  "EPOLL_CTL_ADD": 1,
  "EPOLLIN": 1,
  "EPOLLEXCLUSIVE": 1 << 28,
  "EPOLL_CLOEXEC": 0o2000000,
  "EPOLLET": 2 ** 31,
  "EFD_CLOEXEC": 0o2000000,
  "EFD_CLOEXEC | EFD_NONBLOCK": 0o2004000,
  "TFD_CLOEXEC | TFD_NONBLOCK": 0o2004000,
  "CLOCK_MONOTONIC": 1,
  "sizeof(struct itimerspec)": 32,
  "offsetof(struct itimerspec, it_value.tv_nsec)": 24,
  "MFD_CLOEXEC": 1,
  "O_RDWR | O_CLOEXEC": 0o2000002,
  "O_NONBLOCK": 0o4000,
  "F_SETFL": 4,
  "F_DUPFD_CLOEXEC": 1030,
  "MNT_DETACH": 2,
  "PR_SET_CHILD_SUBREAPER": 36,
  "F_SETFD": 2,
  "FD_CLOEXEC": 1,
  "AF_UNIX": 1,
  "SOCK_STREAM": 1,
  "MSG_NOSIGNAL": 0x4000,
};

Deno.test("structs and numbers of libc and libfuse are those of the installed headers", async () => {
  const { stdout: flags } = await run(["pkg-config", "--cflags", "fuse3"]);
  const lines = Object.keys(EXPECTED).map((word) => `printf("%lld\\n", (long long)(${word}));`);
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
