/** Asks this kernel what its FUSE can do, with a mount that lives for a few milliseconds. */
import { Connection } from "./connection.ts";
import type { Feature } from "./features.ts";

/** What the kernel's INIT says. */
export interface KernelFacts {
  /** The protocol is 7.`minor`. */
  readonly minor: number;
  readonly features: readonly Feature[];
}

/** Mounts on a new temporary directory, reads INIT, and unmounts. @throws what mounting throws. */
export async function probeKernel(): Promise<KernelFacts> {
  const directory = await Deno.makeTempDir({ prefix: "trellis-probe-" });
  try {
    using connection = Connection.mount(directory, ["fsname=trellis-probe", "subtype=trellis"]);
    try {
      const { offer } = connection.handshake(new Set());
      return { minor: offer.minor, features: [...offer.features] };
    } finally {
      await connection.unmount();
    }
  } finally {
    await Deno.remove(directory);
  }
}
