/** A histogram of latencies: bucket 0 is what took less than 1 µs, bucket n what took 2^(n-1) to less than 2^n µs. */

/** How many buckets there are; the last takes all that is longer. */
export const LATENCY_BUCKETS = 32;

/** The bucket that so many milliseconds fall into. */
export function latencyBucket(milliseconds: number): number {
  return 32 - Math.clz32(Math.min(0x7fff_ffff, milliseconds * 1000));
}

/** What a bucket's latencies are below, in microseconds. */
export function bucketLimit(bucket: number): number {
  return bucket === LATENCY_BUCKETS - 1 ? Infinity : 2 ** bucket;
}

/**
 * What `fraction` of the latencies, such as 0.99, are below: a bucket's limit, in microseconds. Undefined when there are
 * none.
 */
export function latencyQuantile(latency: readonly number[], fraction: number): number | undefined {
  const total = latency.reduce((sum, count) => sum + count, 0);
  let below = 0;
  const bucket = latency.findIndex((count) => (below += count) >= total * fraction && below > 0);
  return bucket < 0 ? undefined : bucketLimit(bucket);
}
