/** Asks this kernel what its FUSE can do, with a mount that lives for a few milliseconds. */
import { FUSE_DEV_IOC_BACKING_OPEN } from "../../ffi/kernel.ts";
import { openLibc } from "../../ffi/library.ts";
import { cString } from "../../ffi/memory.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { O_CLOEXEC, O_PATH } from "../fs/flags.ts";
import { Connection } from "./connection.ts";
import type { Feature } from "./features.ts";

/** What the kernel's INIT says. */
export interface KernelFacts {
  /** The protocol is 7.`minor`. */
  readonly minor: number;
  readonly features: readonly Feature[];
}

/** What came of asking the kernel for a backing file: 0, its errno, or undefined where it does not offer passthrough. */
export type BackingOutcome = number | undefined;

/** Mounts on a new temporary directory, reads INIT, and unmounts. @throws what mounting throws. */
export async function probeKernel(): Promise<{ facts: KernelFacts; backing: BackingOutcome }> {
  const directory = await Deno.makeTempDir({ prefix: "trellis-probe-" });
  try {
    using connection = Connection.mount(directory, ["fsname=trellis-probe", "subtype=trellis"]);
    try {
      const { offer, agreement } = connection.handshake(new Set(["init-ext", "passthrough"]));
      const facts = { minor: offer.minor, features: [...offer.features] };
      return { facts, backing: agreement.features.has("passthrough") ? askForBacking(connection) : undefined };
    } finally {
      await connection.unmount();
    }
  } finally {
    await Deno.remove(directory);
  }
}

/** Asks for a backing file as the passthrough layer does: by an `O_PATH` descriptor, here of a file in memory. */
function askForBacking(connection: Connection): number {
  const { symbols, errno } = openLibc();
  const memory = symbols.memfd_create(cString("trellis-probe"), 1);
  const path = symbols.open(cString(`/proc/self/fd/${memory}`), O_PATH | O_CLOEXEC, 0);
  const map = new Int32Array(STRUCT.fuse_backing_map.SIZE / 4);
  map[STRUCT.fuse_backing_map.fd >> 2] = path;
  // The id goes with the connection.
  const id = symbols.ioctl(connection.device, FUSE_DEV_IOC_BACKING_OPEN, new Uint8Array(map.buffer));
  const outcome = id > 0 ? 0 : errno[0]!;
  symbols.close(path);
  symbols.close(memory);
  return outcome;
}
