/** Which of the two transports a mount takes: read(2) and write(2) on /dev/fuse, or io_uring. */
import { openLibcUring } from "../../ffi/library.ts";
import { allowedCores } from "./cores.ts";
import { whyNoUring } from "./uring_support.ts";

/** How requests come and answers go: by read(2) and write(2) on `/dev/fuse`, or over io_uring. */
export type Transport = "device" | "uring";

/** INIT's flag for io_uring, by its plain name. Once it is agreed on, requests come over io_uring or not at all. */
export const URING_FEATURE = "over-io-uring";

/** What a mount asks for, and where it is served. */
export interface TransportWish {
  readonly asked: Transport | "auto";
  readonly placement: "loop" | "handler";
  /** How many loops, or isolates of a handler, serve it. */
  readonly servers: number;
  /** Whether loops hand requests on to handlers beside them, which answer on the device. */
  readonly handsOn?: boolean;
}

/** What came of it. */
export interface TransportChoice {
  readonly transport: Transport;
  /** Why, for people. */
  readonly reason: string;
}

/**
 * Which transport to ask the kernel for. Where "uring" is asked for and cannot be had it is "device", and the reason says
 * why.
 *
 * "auto" takes io_uring where every core has a loop of its own. A loop that serves several cores is far slower over
 * io_uring than on the device: it always wakes on another core than its caller's (docs/performance.md).
 */
export function chooseTransport({ asked, placement, servers, handsOn = false }: TransportWish): TransportChoice {
  if (asked === "device") return { transport: "device", reason: "transport=device" };
  if (placement === "handler") {
    return onDevice('io_uring makes its threads sleep in the kernel, so it is for modules with placement "loop" only');
  }
  if (handsOn) {
    return onDevice(
      "what was read from a ring can be answered there only, and handlers beside the loops answer on the device",
    );
  }
  const missing = whyNoUring();
  if (missing !== undefined) return onDevice(missing);
  if (asked === "uring") return { transport: "uring", reason: "transport=uring" };
  const cores = allowedCores(openLibcUring()).length;
  return servers >= cores
    ? { transport: "uring", reason: "every core has a loop of its own" }
    : onDevice(`${servers} loop${servers === 1 ? "" : "s"} for ${cores} cores would be slower over io_uring`);
}

function onDevice(reason: string): TransportChoice {
  return { transport: "device", reason };
}
