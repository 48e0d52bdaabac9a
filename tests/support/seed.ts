/** Seeds of the random tests: each prints its own. */

/** How many were chosen. */
let chosen = 0;

/**
 * A whole number from 0 to 2³¹ - 1: the environment's TRELLIS_SEED, to repeat a run that printed it, or a random one, so
 * that each run tries what none has tried. But where CI is set it is the same in each run: what one run meets, all do.
 */
export function chooseSeed(): number {
  const given = Deno.env.get("TRELLIS_SEED");
  if (given === undefined) return isFixed() ? ++chosen : crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1;
  if (!/^\d{1,10}$/.test(given) || Number(given) > 0x7fffffff) {
    throw new Error(`TRELLIS_SEED must be a whole number from 0 to 2147483647, not ${given}`);
  }
  return Number(given);
}

function isFixed(): boolean {
  return (Deno.env.get("CI") ?? "") !== "";
}
