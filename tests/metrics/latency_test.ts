/** The histogram's buckets and quantiles. */
import { assertEquals, fc } from "../deps.ts";
import { bucketLimit, LATENCY_BUCKETS, latencyBucket, latencyQuantile } from "../../src/metrics/latency.ts";

Deno.test("latencies fall into buckets by powers of two, in microseconds", async (t) => {
  const cases: [milliseconds: number, bucket: number][] = [
    [0, 0],
    [0.0009, 0],
    [0.001, 1],
    [0.0019, 1],
    [0.002, 2],
    [0.003, 2],
    [0.004, 3],
    [1, 10],
    [1000, 20],
    [Infinity, 31],
  ];
  for (const [milliseconds, bucket] of cases) {
    await t.step(`${milliseconds} ms`, () => assertEquals(latencyBucket(milliseconds), bucket));
  }
});

Deno.test("a quantile is the least limit that enough latencies are below", () => {
  const histogram = fc.array(fc.nat(20), { minLength: LATENCY_BUCKETS, maxLength: LATENCY_BUCKETS });
  fc.assert(fc.property(histogram, fc.double({ min: 0.01, max: 1, noNaN: true }), (latency, fraction) => {
    const total = latency.reduce((sum, count) => sum + count, 0);
    const limit = latencyQuantile(latency, fraction);
    if (limit === undefined) return total === 0;
    const below = (limit: number) =>
      latency.reduce((sum, count, bucket) => bucketLimit(bucket) <= limit ? sum + count : sum, 0);
    return below(limit) >= total * fraction &&
      (limit === 1 || below(limit / 2) < total * fraction || limit === Infinity);
  }));
});
