/** How `list` shows mounts to people. */
import type { ListedMount } from "./list.ts";
import { align, describeDuration, printable } from "./text_table.ts";

const TITLES = ["mountpoint", "source", "type", "state", "pid", "up", "requests"];

/** The columns pid, up and requests. */
const NUMBERS = [4, 5, 6];

/** A table, and below it what is wrong with some. */
export function describeList(mounts: readonly ListedMount[]): string {
  if (mounts.length === 0) return "No mounts of Trellis by this user.";
  const advice = mounts.flatMap(({ mountpoint, advice }) => advice === null ? [] : [`${mountpoint}: ${advice}`]);
  return [...align([TITLES, ...mounts.map(describeMount)], NUMBERS), ...advice.map(printable)].join("\n");
}

function describeMount({ mountpoint, source, type, state, pid, uptimeSeconds, requests }: ListedMount): string[] {
  const up = uptimeSeconds === null ? null : describeDuration(uptimeSeconds);
  return [mountpoint, source, type, state, pid, up, requests].map((cell) => printable(`${cell ?? "-"}`));
}
