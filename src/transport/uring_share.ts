/**
 * Which loop takes the requests of which cores. The kernel has a queue for every possible core, each of which must have
 * an entry before any request is served (is_ring_ready in fs/fuse/dev_uring.c), and a request goes to the queue of the
 * core that its caller runs on. A loop runs on the cores that it serves and nowhere else: a caller and its loop then
 * take turns on one core, and no other core has to be woken.
 */

/** What all loops of a mount know. */
export interface UringMachine {
  readonly loops: number;
  /** All cores that the machine could have. */
  readonly possible: readonly number[];
  /** Those that loops may run on. */
  readonly allowed: readonly number[];
  /** The largest body of a request or an answer, in bytes. */
  readonly payloadSize: number;
}

/** One loop's part. */
export interface UringShare {
  /** How many entries to give to each queue. */
  readonly queues: ReadonlyMap<number, number>;
  /** The cores to run on. */
  readonly cores: readonly number[];
}

/** As many requests can be with a loop at a time; more wait in the kernel. */
const DEPTH = 8;

/** What the bodies of all entries of a mount may take when all have been used for the largest requests. */
const MOST_MEMORY = 256 << 20;

/** The part of loop number `loop`. */
export function shareOf(loop: number, { loops, possible, allowed, payloadSize }: UringMachine): UringShare {
  const cores = loops > allowed.length
    ? [allowed[loop % allowed.length]!]
    : allowed.filter((_, place) => place % loops === loop);
  // Cores that are off, or kept from this process: who runs there later can be served, if not quickly.
  const others = possible.filter((core) => !allowed.includes(core)).filter((_, place) => place % loops === loop);
  const servers = Math.max(loops, allowed.length);
  const depth = Math.max(1, Math.min(DEPTH, Math.floor(MOST_MEMORY / payloadSize / servers)));
  const queues = new Map([...cores.map((core) => [core, depth] as const), ...others.map((core) => [core, 1] as const)]);
  return { queues, cores };
}
