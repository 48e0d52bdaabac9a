// deno-lint-ignore-file camelcase -- the names are C's own.
/** What io_uring needs: its three system calls, mapped memory, and on which cores a thread may run. */
export const URING = {
  /** int io_uring_setup(u32 entries, struct io_uring_params *p) */
  io_uring_setup: { name: "syscall", parameters: ["i32", "u32", "buffer"], result: "i32" },
  /**
   * int io_uring_enter2(unsigned int fd, u32 to_submit, u32 min_complete, u32 flags, void *arg, size_t argsz). On x86_64
   * the last of these lies on the stack, where nothing clears the upper half of what is passed as 32 bits.
   */
  io_uring_enter: {
    name: "syscall",
    parameters: ["i32", "i32", "u32", "u32", "u32", "pointer", "usize"],
    result: "i32",
  },
  /** int io_uring_register(unsigned int fd, unsigned int opcode, void *arg, unsigned int nr_args) */
  io_uring_register: { name: "syscall", parameters: ["i32", "i32", "u32", "buffer", "u32"], result: "i32" },
  /** void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset) */
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  /** int munmap(void *addr, size_t length) */
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  /** int madvise(void *addr, size_t length, int advice) */
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  /** int sched_getaffinity(pid_t pid, size_t cpusetsize, cpu_set_t *mask): with 0 the calling thread's */
  sched_getaffinity: { parameters: ["i32", "u32", "buffer"], result: "i32" },
  /** int sched_setaffinity(pid_t pid, size_t cpusetsize, const cpu_set_t *mask) */
  sched_setaffinity: { parameters: ["i32", "u32", "buffer"], result: "i32" },
  /** int *__errno_location(void): the calling thread's errno */
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;
