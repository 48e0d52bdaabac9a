// deno-lint-ignore-file camelcase -- the names are C's own.
import { openSymbols } from "../open_symbols.ts";

/**
 * libc's file calls, for the passthrough layer. 32-bit parameters and results stay on Deno's fast call path with plain
 * numbers; `size_t` is `u32` where sizes never reach 4 GiB. What is 64 bits wide goes in and out as bigint: a number
 * there takes a path five times slower.
 */
const FILES = {
  /** int openat(int dirfd, const char *pathname, int flags, mode_t mode) */
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  /** int close(int fd) */
  close: { parameters: ["i32"], result: "i32" },
  /** int statx(int dirfd, const char *pathname, int flags, unsigned int mask, struct statx *statxbuf) */
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  /** ssize_t pread(int fd, void *buf, size_t count, off_t offset) */
  pread: { parameters: ["i32", "buffer", "u32", "i64"], result: "i32" },
  /** ssize_t pwrite(int fd, const void *buf, size_t count, off_t offset) */
  pwrite: { parameters: ["i32", "buffer", "u32", "i64"], result: "i32" },
  /** ssize_t pwritev2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags) */
  pwritev2: { parameters: ["i32", "buffer", "i32", "i64", "i32"], result: "i32" },
  /** ssize_t read(int fd, void *buf, size_t count) */
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  /** ssize_t getdents64(int fd, void *dirp, size_t count) */
  getdents64: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  /** off_t lseek(int fd, off_t offset, int whence) */
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  /** ssize_t readlinkat(int dirfd, const char *pathname, char *buf, size_t bufsiz) */
  readlinkat: { parameters: ["i32", "buffer", "buffer", "u32"], result: "i32" },
  /** int mkdirat(int dirfd, const char *pathname, mode_t mode) */
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  /** int mknodat(int dirfd, const char *pathname, mode_t mode, dev_t dev) */
  mknodat: { parameters: ["i32", "buffer", "u32", "u64"], result: "i32" },
  /** int symlinkat(const char *target, int newdirfd, const char *linkpath) */
  symlinkat: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
  /** int linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags) */
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  /** int unlinkat(int dirfd, const char *pathname, int flags) */
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  /** int renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned int flags) */
  renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
  /** int fchmodat(int dirfd, const char *pathname, mode_t mode, int flags) */
  fchmodat: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  /** int fchmod(int fd, mode_t mode) */
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  /** int fchownat(int dirfd, const char *pathname, uid_t owner, gid_t group, int flags) */
  fchownat: { parameters: ["i32", "buffer", "u32", "u32", "i32"], result: "i32" },
  /** int ftruncate(int fd, off_t length) */
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  /** int truncate(const char *path, off_t length) */
  truncate: { parameters: ["buffer", "i64"], result: "i32" },
  /** int utimensat(int dirfd, const char *pathname, const struct timespec times[2], int flags) */
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  /** int faccessat(int dirfd, const char *pathname, int mode, int flags) */
  faccessat: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  /** int fsync(int fd) */
  fsync: { parameters: ["i32"], result: "i32" },
  /** int fdatasync(int fd) */
  fdatasync: { parameters: ["i32"], result: "i32" },
  /** int syncfs(int fd) */
  syncfs: { parameters: ["i32"], result: "i32" },
  /** int fstatfs(int fd, struct statfs *buf) */
  fstatfs: { parameters: ["i32", "buffer"], result: "i32" },
  /** int fallocate(int fd, int mode, off_t offset, off_t len) */
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  /** ssize_t copy_file_range(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t size, unsigned int flags) */
  copy_file_range: { parameters: ["i32", "buffer", "i32", "buffer", "u64", "u32"], result: "i64" },
  /** int fcntl(int fd, int op, int argument) */
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** int dup2(int oldfd, int newfd) */
  dup2: { parameters: ["i32", "i32"], result: "i32" },
  /** int flock(int fd, int op) */
  flock: { parameters: ["i32", "i32"], result: "i32" },
  /** int fcntl(int fd, int op, struct flock *lock) */
  fcntl_lock: { name: "fcntl", parameters: ["i32", "i32", "buffer"], result: "i32" },
  /** int ioctl(int fd, unsigned long op, void *argument) */
  ioctl: { parameters: ["i32", "u32", "buffer"], result: "i32" },
  /** ssize_t getxattr(const char *path, const char *name, void *value, size_t size) */
  getxattr: { parameters: ["buffer", "buffer", "buffer", "u32"], result: "i32" },
  /** int setxattr(const char *path, const char *name, const void *value, size_t size, int flags) */
  setxattr: { parameters: ["buffer", "buffer", "buffer", "u32", "i32"], result: "i32" },
  /** ssize_t listxattr(const char *path, char *list, size_t size) */
  listxattr: { parameters: ["buffer", "buffer", "u32"], result: "i32" },
  /** int removexattr(const char *path, const char *name) */
  removexattr: { parameters: ["buffer", "buffer"], result: "i32" },
  /** int name_to_handle_at(int dirfd, const char *path, struct file_handle *handle, int *mount_id, int flags) */
  name_to_handle_at: { parameters: ["i32", "buffer", "buffer", "buffer", "i32"], result: "i32" },
  /** int open_by_handle_at(int mount_fd, struct file_handle *handle, int flags) */
  open_by_handle_at: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  /** int prlimit(pid_t pid, int resource, const struct rlimit *new_limit, struct rlimit *old_limit) */
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
  /** uid_t geteuid(void) */
  geteuid: { parameters: [], result: "u32" },
  /** int capget(cap_user_header_t hdrp, cap_user_data_t datap): of linux/capability.h */
  capget: { parameters: ["buffer", "buffer"], result: "i32" },
  /** mode_t umask(mode_t mask) */
  umask: { parameters: ["u32"], result: "u32" },
  /** int unshare(int flags) */
  unshare: { parameters: ["i32"], result: "i32" },
  /** long syscall(SYS_setfsuid or SYS_setfsgid, uid_t id): the calling thread's alone */
  set_filesystem_id: { name: "syscall", parameters: ["i32", "u32"], result: "i32" },
  /** long syscall(SYS_setgroups, size_t size, const gid_t *list): glibc's setgroups changes every thread, this only one */
  set_thread_groups: { name: "syscall", parameters: ["i32", "u32", "buffer"], result: "i32" },
  /** int *__errno_location(void): the calling thread's errno */
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The open table. */
export type Files = Deno.DynamicLibrary<typeof FILES>["symbols"];

let files: Files | undefined;

/** Opens libc's file calls, once per isolate. They stay open: a thread may be inside one until the very end. */
export function openFiles(): Files {
  files ??= openSymbols("libc.so.6", FILES);
  return files;
}
