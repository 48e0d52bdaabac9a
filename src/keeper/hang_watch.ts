/**
 * Sees that a server hangs: a loop has been at one request for too long, or requests wait and no loop takes any, and
 * nobody has said meanwhile that what it is at gets on (`ConnectionInfo.noteProgress`). It looks at the journal and at the
 * device, so that no request of its own is needed (which would need a process of its own: one that waits for an answer
 * holds the keeper's descriptors), and it works where nobody may read /sys/fs/fuse/connections.
 */
import type { JournalSlot } from "../kept/journal.ts";

export class HangWatch {
  readonly #limit: number;
  readonly #loops: { count: number; since: number }[];
  #idleSince: number;

  /** `limit` in milliseconds; `slots` as they are at the time `now`, with nothing in them but what this server did. */
  constructor(limit: number, slots: readonly JournalSlot[], now: number) {
    this.#limit = limit;
    this.#loops = slots.map(({ count }) => ({ count, since: now }));
    this.#idleSince = now;
  }

  /**
   * To be told again and again. `pending`: requests wait to be read, or the connection's end does. Returns what hangs, if
   * something does.
   */
  look(slots: readonly JournalSlot[], pending: boolean, now: number): string | undefined {
    let taken = false;
    let stuck: string | undefined;
    for (const [loop, { count, begun }] of slots.entries()) {
      const known = this.#loops[loop]!;
      if (count !== known.count || begun === undefined) {
        taken ||= count !== known.count;
        this.#loops[loop] = { count, since: now };
      } else if (now - known.since >= this.#limit) {
        stuck ??= `loop ${loop} has been at one request for ${seconds(now - known.since)} s`;
      }
    }
    if (taken || !pending) this.#idleSince = now;
    else if (now - this.#idleSince >= this.#limit) {
      stuck ??= `no loop has read for ${seconds(now - this.#idleSince)} s what waits to be read`;
    }
    return stuck;
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}
