/** When reading changes a file's access time: the relatime rule of mount(8), the default of Linux. */
import { now } from "../../fs/attributes.ts";
import type { Time } from "../../fs/attributes.ts";

/** The three times of a file. */
export interface Times {
  atime: Time;
  mtime: Time;
  ctime: Time;
}

/** An access time older than this many seconds is renewed in any case (fs/inode.c: relatime_need_update). */
const DAY = 24 * 60 * 60;

/** Whether a read now would have to change the access time. */
export function accessTimeIsDue(file: Times): boolean {
  return notAfter(file.atime, file.mtime) || notAfter(file.atime, file.ctime) ||
    Date.now() / 1000 - file.atime.seconds >= DAY;
}

/** Notes that `file` has been read. */
export function touchAccessTime(file: Times): void {
  if (accessTimeIsDue(file)) file.atime = now();
}

function notAfter(one: Time, other: Time): boolean {
  return one.seconds < other.seconds || (one.seconds === other.seconds && one.nanoseconds <= other.nanoseconds);
}
