/** Which files' pages the kernel may keep: those that have not changed since it dropped them, as far as times can tell. */
import type { FileStatus } from "../../src/layers/passthrough/file_status.ts";
import { isMultigrain } from "../../src/layers/passthrough/local_filesystems.ts";
import { UnchangedFiles } from "../../src/layers/passthrough/unchanged_files.ts";
import { assertEquals } from "../deps.ts";

/** A status with this change time. */
function changed(seconds: number, nanoseconds = 0): FileStatus {
  return { changedSeconds: seconds, changedNanoseconds: nanoseconds } as FileStatus;
}

/** As the files of a loop are opened, at a time in seconds that the test says. */
function opens(): { files: UnchangedFiles; at(seconds: number): UnchangedFiles } {
  let now = 0;
  const files = new UnchangedFiles(() => now * 1000);
  return {
    files,
    at(seconds) {
      now = seconds;
      return files;
    },
  };
}

Deno.test("a file that is opened again as it was is unchanged", () => {
  const { at } = opens();
  assertEquals(at(1000).has(5, 1, changed(900, 7), false), false, "never seen");
  assertEquals(at(1001).has(5, 1, changed(900, 7), false), true);
  assertEquals(at(1002).has(5, 1, changed(900, 7), false), true);
});

Deno.test("a file with another change time, before or after, has changed", () => {
  for (const other of [changed(900, 8), changed(901, 7), changed(899, 7)]) {
    const { at } = opens();
    at(1000).has(5, 1, changed(900, 7), false);
    assertEquals(at(1001).has(5, 1, other, false), false);
    assertEquals(at(1001).has(5, 1, other, false), true, "the new one is noted");
  }
});

Deno.test("another node in the cell, or in the same place, has changed", () => {
  const { at } = opens();
  at(1000).has(5, 1, changed(900), false);
  assertEquals(at(1000).has(5, 2, changed(900), false), false);
  assertEquals(at(1000).has(5 + 65_536, 2, changed(900), false), false);
  assertEquals(at(1000).has(5, 2, changed(900), false), false);
});

Deno.test("a file that changed less than three seconds ago, or is to change, may do so again unseen", () => {
  for (const ago of [2, 0, -100]) {
    const { at } = opens();
    for (const _time of [1, 2, 3]) assertEquals(at(1000).has(5, 1, changed(1000 - ago), false), false, `${ago} s`);
  }
  const { at } = opens();
  at(1000).has(5, 1, changed(997), false);
  assertEquals(at(1000).has(5, 1, changed(997), false), true);
});

Deno.test("where every change has a time of its own, one that was made just now is noted", () => {
  const { at } = opens();
  assertEquals(at(1000).has(5, 1, changed(1000, 1), true), false);
  assertEquals(at(1000).has(5, 1, changed(1000, 1), true), true);
  assertEquals(at(1000).has(5, 1, changed(1000, 2), true), false);
});

Deno.test("what was noted holds for a minute, and for none before a clock that was set back", () => {
  const { at } = opens();
  at(1000).has(5, 1, changed(900), false);
  assertEquals(at(1059).has(5, 1, changed(900), false), true);
  assertEquals(at(1060).has(5, 1, changed(900), false), false);
  assertEquals(at(1119).has(5, 1, changed(900), false), true, "noted anew");
  assertEquals(at(1000).has(5, 1, changed(900), false), false);
});

Deno.test("times before 1970 and after 2038 are times as well", () => {
  for (const seconds of [-5, 2 ** 31 + 5, 2 ** 33]) {
    const { at } = opens();
    at(seconds + 100).has(5, 1, changed(seconds), false);
    assertEquals(at(seconds + 101).has(5, 1, changed(seconds), false), true, `${seconds}`);
  }
});

/** `f_type` of statfs(2). */
const TYPES = { ext4: 0xef53, tmpfs: 0x01021994, XFS: 0x58465342, Btrfs: 0x9123683e, FAT: 0x4d44, ZFS: 0x2fc12fc1 };

Deno.test("times of their own have the changes of four filesystems from Linux 6.13 on", () => {
  const multigrain = (release: string) =>
    Object.entries(TYPES).filter(([, type]) => isMultigrain(type | 0, release)).map(([name]) => name);
  for (const release of ["6.13.0", "6.18.44-fc-v657", "7.0-rc1"]) {
    assertEquals(multigrain(release), ["ext4", "tmpfs", "XFS", "Btrfs"], release);
  }
  for (const release of ["6.12.94", "5.15.0-generic", "", "odd"]) assertEquals(multigrain(release), [], release);
});
