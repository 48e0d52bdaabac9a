/** What many rounds say together. */

/** The middle value. @throws {RangeError} when there is none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("No values have no median");
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How far the values lie apart: the median distance from their median, as a part of it. */
export function spread(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle))) / middle;
}

/** The mean that suits ratios. @throws {RangeError} for no values. */
export function geometricMean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("No values have no mean");
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** How many times as long `values` took as `others`, where each has a value for each round, or NaN. */
export type Ratio = (values: readonly number[], others: readonly number[]) => number | undefined;

/**
 * The median of the ratios of the same round. What slowed a whole round down slowed both, so that this is steadier than
 * the ratio of medians. A round that either lacks does not count.
 */
export function medianRatio(values: readonly number[], others: readonly number[]): number | undefined {
  const ratios = values.map((value, round) => value / (others[round] ?? NaN)).filter((one) => !Number.isNaN(one));
  return ratios.length === 0 ? undefined : median(ratios);
}

/** The ratio of the fastest rounds: of many short ones, some had no other program in their way. */
export function fastestRatio(values: readonly number[], others: readonly number[]): number | undefined {
  const fastest = (one: readonly number[]) => Math.min(...one.filter((value) => !Number.isNaN(value)));
  const [mine, other] = [fastest(values), fastest(others)];
  return Number.isFinite(mine) && Number.isFinite(other) ? mine / other : undefined;
}

/** How peers are compared, by what `--by` calls it. */
export const RATIOS = { median: medianRatio, fastest: fastestRatio } as const satisfies Record<string, Ratio>;
export type By = keyof typeof RATIOS;
