/** What is needed of libc to name threads, and to be the parent of processes that Deno did not start. */
export const PROCESS = {
  /** int prctl(int op, unsigned long arg2) */
  prctl: { parameters: ["i32", "usize"], result: "i32" },
  /** pid_t waitpid(pid_t pid, int *wstatus, int options); nonblocking: it waits */
  waitpid: { parameters: ["i32", "buffer", "i32"], result: "i32", nonblocking: true },
} as const satisfies Deno.ForeignLibraryInterface;
