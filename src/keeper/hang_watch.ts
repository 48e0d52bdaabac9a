/**
 * Sees that a server hangs: a loop has been at one request for too long, a handler's isolate has not come round to its
 * events, or requests wait and nobody takes any, and nobody has said meanwhile that what it is at gets on
 * (`ConnectionInfo.noteProgress`). How long a handler's method waits for others is no matter. It looks at the journal and
 * at the device, so that no request of its own is needed (which would need a process of its own: one that waits for an
 * answer holds the keeper's descriptors), and it works where nobody may read /sys/fs/fuse/connections.
 */
import type { JournalSlot } from "../kept/journal.ts";

export class HangWatch {
  readonly #limit: number;
  readonly #known: { count: number; beats: number; since: number }[];
  #idleSince: number;

  /** `limit` in milliseconds; `slots` as they are at the time `now`, with nothing in them but what this server did. */
  constructor(limit: number, slots: readonly JournalSlot[], now: number) {
    this.#limit = limit;
    this.#known = slots.map(({ count, beats }) => ({ count, beats, since: now }));
    this.#idleSince = now;
  }

  /**
   * To be told again and again. `pending`: requests wait to be read, or the connection's end does. Returns what hangs, if
   * something does.
   */
  look(slots: readonly JournalSlot[], pending: boolean, now: number): string | undefined {
    let taken = false;
    let stuck: string | undefined;
    for (const [slot, { count, beats, begun }] of slots.entries()) {
      const known = this.#known[slot]!;
      taken ||= count !== known.count;
      if (count !== known.count || beats !== known.beats || (begun === undefined && beats === 0)) {
        this.#known[slot] = { count, beats, since: now };
      } else if (now - known.since >= this.#limit) {
        const time = seconds(now - known.since);
        stuck ??= beats === 0
          ? `loop ${slot} has been at one request for ${time} s`
          : `the handler in place ${slot} has not come round to its events for ${time} s`;
      }
    }
    if (taken || !pending) this.#idleSince = now;
    else if (now - this.#idleSince >= this.#limit) {
      stuck ??= `nobody has read for ${seconds(now - this.#idleSince)} s what waits to be read`;
    }
    return stuck;
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}
