/** The cores of this machine, by number, and on which of them the calling thread may run. */
import type { LibcUring } from "../../ffi/library.ts";
import { errnoName } from "../fs/errors.ts";

/** Room for 8192 cores, more than the kernel can be built for (NR_CPUS_RANGE_END). */
const MASK_BYTES = 1024;

/** The cores that this machine has or could get while it runs. */
export function possibleCores(): number[] {
  return parseCores(Deno.readTextFileSync("/sys/devices/system/cpu/possible"));
}

/** Reads a list such as `0-3,8` (Documentation/admin-guide/cputopology.rst). */
export function parseCores(list: string): number[] {
  return list.trim().split(",").filter((range) => range !== "").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number) as [number, number?];
    return Array.from({ length: last! - first + 1 }, (_, index) => first + index);
  });
}

/** Those that the calling thread may run on. */
export function allowedCores({ symbols, errno }: LibcUring): number[] {
  const mask = new Uint8Array(MASK_BYTES);
  if (symbols.sched_getaffinity(0, MASK_BYTES, mask) < 0) {
    throw new Error(`Cannot ask which cores a thread may run on: ${errnoName(errno[0]!)}`);
  }
  return Array.from({ length: MASK_BYTES * 8 }, (_, core) => core).filter((core) => mask[core >> 3]! & 1 << (core & 7));
}

/** Lets the calling thread run on these only. False when it may not: other processes may have taken the cores away. */
export function runOn({ symbols }: LibcUring, cores: readonly number[]): boolean {
  const mask = new Uint8Array(MASK_BYTES);
  for (const core of cores) mask[core >> 3]! |= 1 << (core & 7);
  return symbols.sched_setaffinity(0, MASK_BYTES, mask) === 0;
}
