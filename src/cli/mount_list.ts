/** How `list` shows mounts to people. */
import type { ListedMount } from "./list.ts";
import { align, describeDuration, printable } from "./text_table.ts";

const TITLES = ["mountpoint", "source", "type", "state", "pid", "up", "requests", "keeper"];

/** The columns pid, up and requests. */
const NUMBERS = [4, 5, 6];

/** A table, and below it what is wrong with some. */
export function describeList(mounts: readonly ListedMount[]): string {
  if (mounts.length === 0) return "No mounts of Trellis by this user.";
  const advice = mounts.flatMap(({ mountpoint, advice }) => advice === null ? [] : [`${mountpoint}: ${advice}`]);
  return [...align([TITLES, ...mounts.map(describeMount)], NUMBERS), ...advice.map(printable)].join("\n");
}

function describeMount(mount: ListedMount): string[] {
  const { mountpoint, source, type, state, pid, uptimeSeconds, requests } = mount;
  const up = uptimeSeconds === null ? null : describeDuration(uptimeSeconds);
  return [mountpoint, source, type, state, pid, up, requests, keeperOf(mount)].map((cell) =>
    printable(`${cell ?? "-"}`)
  );
}

function keeperOf({ pid, server, noKeeper }: ListedMount): string | null {
  if (pid === null) return null;
  if (server !== null) return "yes";
  return noKeeper === null ? "none" : `none (${noKeeper})`;
}
