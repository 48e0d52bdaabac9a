/**
 * Random file operations for the model test, as the lines that executor.c understands.
 *
 * Names and slots are few, so that operations meet each other's files often.
 */
import { fc } from "../deps.ts";

/** One operation: its name and its arguments, already escaped for the executor. */
export type Command = readonly [operation: string, ...arguments: (string | number)[]];

const PAGE = 4096;
const LONGEST_NAME = "n".repeat(255);

const name = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom("a", "b", "c", "d") },
  // A space, bytes that are not UTF-8, a two-byte letter, the longest name, one too long.
  { weight: 2, arbitrary: fc.constantFrom("e%20f", "%ff%fe", "%c3%a9", LONGEST_NAME, LONGEST_NAME + "n") },
);

const path = fc.oneof(
  { weight: 20, arbitrary: name },
  { weight: 10, arbitrary: fc.tuple(name, name).map((names) => names.join("/")) },
  { weight: 4, arbitrary: fc.tuple(name, name, name).map((names) => names.join("/")) },
  { weight: 1, arbitrary: name.map((only) => only + "/") },
  { weight: 1, arbitrary: name.map((only) => only + "/.") },
  { weight: 1, arbitrary: fc.constant(".") },
);

// No "..": a link must not lead out of the directory.
const target = fc.oneof(
  { weight: 10, arbitrary: path },
  { weight: 1, arbitrary: fc.constantFrom("missing", "%ff", "t/".repeat(500)) },
);

const permissions = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("644", "755", "600", "700", "777") },
  { weight: 2, arbitrary: fc.constantFrom("4755", "2755", "2775", "6711", "1777", "2644", "444", "0") },
);

// Around page boundaries and small, as the errors are.
const offset = fc.oneof(
  fc.constantFrom(0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 5 * PAGE),
  fc.integer({ min: 0, max: 40_000 }),
);
const length = fc.oneof(
  fc.constantFrom(0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE),
  fc.integer({ min: 0, max: 20_000 }),
);
const size = fc.oneof({ weight: 20, arbitrary: offset }, { weight: 1, arbitrary: fc.constant(-1) });
const largest = fc.constantFrom(65_536, 100, 3);
const seed = fc.integer({ min: 0, max: 254 });
const slot = fc.integer({ min: 0, max: 3 });
const follow = fc.constantFrom("none", "symlink-nofollow");
const owner = fc.constantFrom(-1, 0, 1000, 1001);

const openFlags = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("rdwr", "rdonly", "wronly", "rdwr,creat", "rdwr,append") },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "rdwr,creat,excl",
      "rdwr,trunc",
      "rdonly,directory",
      "rdwr,nofollow",
      "wronly,creat,trunc",
    ),
  },
);
const allocation = fc.constantFrom("none", "keep-size", "punch-hole,keep-size", "punch-hole");
const renameFlags = fc.oneof(
  { weight: 3, arbitrary: fc.constant("none") },
  { weight: 2, arbitrary: fc.constantFrom("noreplace", "exchange", "noreplace,exchange") },
);

// Nothing between 2017 and the end of time, see print_status in snapshot.c; negative ones lie before 1970.
const seconds = fc.constantFrom(0, 1, 1_000_000_000, 1_234_567_890, -1, -1_000_000);
const nanoseconds = fc.constantFrom(0, 1, 999_999_999, 123_456_789, 500_000_000);
const UTIME_OMIT = (1 << 30) - 2;
const modificationNanoseconds = fc.oneof({ weight: 5, arbitrary: nanoseconds }, {
  weight: 1,
  arbitrary: fc.constant(UTIME_OMIT),
});

const attribute = fc.constantFrom("user.a", "user.b", "user.name.with.dots", "nonsense");
const attributeLength = fc.constantFrom(0, 1, 16, 64, 300);
const attributeFlags = fc.constantFrom("none", "none", "create", "replace");

/** One operation with arguments of the given kinds, `weight` times as likely as one of weight 1. */
function operation(weight: number, operation: string, ...kinds: fc.Arbitrary<string | number>[]) {
  return { weight, arbitrary: fc.tuple(...kinds).map((values): Command => [operation, ...values]) };
}

/** Any operation. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  operation(8, "create", path, permissions, length, seed),
  operation(6, "write", path, offset, length, seed),
  operation(3, "append", path, length, seed),
  operation(5, "read", path, offset, length),
  operation(4, "truncate", path, size),
  operation(4, "stat", path),
  operation(4, "lstat", path),
  operation(5, "unlink", path),
  operation(8, "mkdir", path, permissions),
  operation(4, "rmdir", path),
  operation(9, "rename", path, path, renameFlags),
  operation(6, "link", path, path),
  operation(4, "symlink", target, path),
  operation(2, "readlink", path),
  operation(1, "mkfifo", path, permissions),
  operation(3, "chmod", path, permissions),
  operation(2, "chown", path, owner, owner, follow),
  operation(3, "utimens", path, seconds, nanoseconds, seconds, modificationNanoseconds, follow),
  operation(4, "readdir", path),
  operation(3, "setxattr", path, attribute, attributeLength, seed, attributeFlags),
  operation(2, "getxattr", path, attribute, largest),
  operation(2, "listxattr", path),
  operation(2, "removexattr", path, attribute),
  operation(6, "open", slot, path, openFlags, permissions),
  operation(1, "open", slot, path, fc.constant("tmpfile,rdwr"), permissions),
  operation(2, "close", slot),
  operation(5, "pread", slot, offset, length),
  operation(5, "pwrite", slot, offset, length, seed),
  operation(3, "ftruncate", slot, size),
  operation(3, "fstat", slot),
  operation(1, "fchmod", slot, permissions),
  operation(3, "fallocate", slot, allocation, offset, length),
  operation(1, "fsync", slot),
  operation(2, "holes", slot),
  operation(1, "linkat", slot, path),
);

/** The line that the executor reads. */
export function toLine(command: Command): string {
  return command.join(" ");
}
