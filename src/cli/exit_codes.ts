/** The exit codes of the tool: what kind of failure a script can tell apart. */

/** Exit codes by kind of failure. */
export const EXIT_CODES = {
  OK: 0,
  UNEXPECTED: 1,
  USAGE: 2,
  ENVIRONMENT: 3,
  MOUNTPOINT: 4,
  MOUNT: 5,
  NOT_MOUNTED: 6,
  BUSY: 7,
  SOURCE: 8,
  CONFIG: 9,
  NO_ANSWER: 10,
  UNCHANGED: 11,
  // As sh(1), env(1) and timeout(1) have them.
  NOT_EXECUTABLE: 126,
  NOT_FOUND: 127,
} as const;

/** A kind of failure. */
export type FailureKind = Exclude<keyof typeof EXIT_CODES, "OK">;

const MEANINGS: Record<keyof typeof EXIT_CODES, string> = {
  OK: "done",
  UNEXPECTED: "an error nobody foresaw (--debug shows where)",
  USAGE: "wrong arguments or options",
  ENVIRONMENT:
    "this machine cannot mount: no libfuse3, or no usable /dev/fuse (see doctor); run: no sandbox can be made",
  MOUNTPOINT: "the mountpoint cannot be used: missing, not a directory, not permitted, already a mountpoint",
  MOUNT: "mounting or unmounting failed",
  NOT_MOUNTED: "umount, status, restart, reload: nothing of FUSE is mounted there",
  BUSY: "umount: the filesystem is in use",
  SOURCE: "the source cannot be used: missing, not a directory, not readable, one inside the other with the mountpoint",
  CONFIG: "the configuration has problems, all of which are printed",
  NO_ANSWER: "status, list, restart, reload: a mount's server hangs, is gone, or has no control socket",
  UNCHANGED: "reload: something cannot change while mounted, or changing it failed; the tree is as it was",
  NOT_EXECUTABLE: "run: the command is there, but cannot be executed",
  NOT_FOUND: "run: there is no such command in the tree",
};

/** The part of the help that lists the exit codes. */
export function describeExitCodes(): string {
  const lines = Object.entries(EXIT_CODES).map(([name, code]) =>
    `${String(code).padStart(3)}  ${MEANINGS[name as keyof typeof MEANINGS]}`
  );
  return ["Exit codes:", ...lines].join("\n");
}
