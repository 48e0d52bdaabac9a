/** What serves a mount, and what its filesystem has: what each placement gives to `mount`. */
import type { StatusReport } from "../control/messages.ts";
import type { LiveBranches } from "../fs/branches.ts";
import type { LoopReady } from "../messages.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Server } from "../session.ts";

/** How a line for the log is told: what happened, and the stack of what was thrown or nothing. */
export type Logger = (message: string, detail: string) => void;

export interface Servers extends Pick<LoopReady, "methods" | "features"> {
  readonly placement: StatusReport["placement"];
  readonly servers: readonly Server[];
  readonly readMetrics: () => Metrics;
  /** How the branches of its tree are changed, or why they are not. */
  readonly branches: LiveBranches | { readonly why: string };
  /** Whether they hand requests on to others, which answer on the device. */
  readonly handsOn?: boolean;
  /** The longest write that they take, when that is not as long as can be. In bytes. */
  readonly maxWrite?: number;
  /** Told where further descriptors of the connection come from, one for each worker; whoever asks for one closes it. */
  readonly open?: (attach: (worker: number) => number) => void;
}

/** How many threads may serve a mount: more cores than this were never seen to help. */
export const MOST_THREADS = 16;

/** @throws {RangeError} for a number of `what` that cannot serve a mount. */
export function checkCount(count: number, what: string): void {
  if (Number.isInteger(count) && count >= 1 && count <= MOST_THREADS) return;
  throw new RangeError(`Cannot mount with ${count} ${what}: from 1 to ${MOST_THREADS} can serve a mount`);
}

/** @throws {TypeError} when several isolates would each count their own lookups of one filesystem. */
export function checkCounts({ needsCounts }: LoopReady, count: number, what: string): void {
  if (count === 1 || !needsCounts) return;
  throw new TypeError(
    `Cannot mount with ${count} ${what}: the filesystem has \`forget\`, and lookups are counted in one isolate only. ` +
      "Let it count them itself, with `forgetLookups`, or mount with one",
  );
}
