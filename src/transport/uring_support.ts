/** Whether FUSE can run over io_uring here. */
import { openLibc, openLibcUring } from "../../ffi/library.ts";
import { Uring } from "./uring.ts";

const PARAMETER = "/sys/module/fuse/parameters/enable_uring";

/**
 * Why FUSE cannot run over io_uring here, with what to do about it; undefined when it can, as far as can be seen without
 * a mount.
 */
export function whyNoUring(): string | undefined {
  const parameter = readParameter();
  if (parameter === undefined) {
    return "this kernel's FUSE does not know io_uring (Linux 6.14 or newer, CONFIG_FUSE_IO_URING)";
  }
  if (!parameter.startsWith("Y")) return `io_uring is switched off (as root: echo Y >${PARAMETER})`;
  try {
    using _ring = new Uring(openLibc(), openLibcUring(), 1);
    return undefined;
  } catch (error) {
    return `this process may not use io_uring (sysctl kernel.io_uring_disabled, a sandbox): ${
      error instanceof Error ? error.message : error
    }`;
  }
}

/** The module's parameter: Y, N, or undefined for kernels without it. */
function readParameter(): string | undefined {
  try {
    return Deno.readTextFileSync(PARAMETER);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
