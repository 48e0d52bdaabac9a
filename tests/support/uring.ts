/** FUSE over io_uring for tests: switched on while something mounts, as root, and put back as it was. */
import { whyNoUring } from "../../src/transport/uring_support.ts";

const PARAMETER = "/sys/module/fuse/parameters/enable_uring";

/** Why nothing can be mounted over io_uring here; undefined when it can be, or can be switched on. */
export const NO_URING: string | undefined = findReason();

function findReason(): string | undefined {
  try {
    using _on = switchUring("Y");
    return whyNoUring();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "this kernel's FUSE does not know io_uring";
    if (error instanceof Deno.errors.PermissionDenied) return whyNoUring();
    throw error;
  }
}

/** What runs meanwhile may mount over io_uring. A mount that has been made stays as it is. */
export async function withUring<Result>(act: () => Promise<Result>): Promise<Result> {
  using _on = Deno.uid() === 0 ? switchUring("Y") : undefined;
  return await act();
}

/** Sets the module's parameter until it is disposed of. It is the whole machine's: other tests on it wait meanwhile. */
export function switchUring(value: "Y" | "N"): Disposable {
  const lock = Deno.openSync(PARAMETER, { read: true, write: true });
  lock.lockSync(true);
  const before = Deno.readTextFileSync(PARAMETER).trim();
  if (before !== value) Deno.writeTextFileSync(PARAMETER, value);
  return {
    [Symbol.dispose]() {
      if (before !== value) Deno.writeTextFileSync(PARAMETER, before);
      lock.close();
    },
  };
}
