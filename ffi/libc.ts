/**
 * Numbers of libc's headers, the same on x86_64 and aarch64. `tests/ffi/libc_test.ts` checks them with a C compiler. Modes,
 * `O_*` and `POLL*` are in `src/fs/flags.ts`.
 */

// fcntl.h
export const F_SETFD = 2;
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const FD_CLOEXEC = 1;

// sys/epoll.h
export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLLIN = 1;
export const EPOLLEXCLUSIVE = 1 << 28;
export const EPOLLET = 1 << 31;

// sys/eventfd.h
export const EFD_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;

// sys/timerfd.h, time.h
export const TFD_CLOEXEC = 0o2000000;
export const TFD_NONBLOCK = 0o4000;
export const CLOCK_MONOTONIC = 1;

// sys/mman.h
export const MFD_CLOEXEC = 1;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 1;
export const MAP_FIXED = 0x10;
export const MADV_REMOVE = 9;

// sys/mount.h
export const MNT_FORCE = 1;
export const MNT_DETACH = 2;

// sys/prctl.h
export const PR_SET_NAME = 15;
export const PR_SET_CHILD_SUBREAPER = 36;

// sys/socket.h
export const AF_UNIX = 1;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_CTRUNC = 8;
export const MSG_DONTWAIT = 0x40;
export const MSG_CMSG_CLOEXEC = 0x40000000;
export const SOL_SOCKET = 1;
export const SCM_RIGHTS = 1;
