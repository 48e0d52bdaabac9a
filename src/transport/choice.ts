/** Which of the two transports a mount takes: read(2) and write(2) on /dev/fuse, or io_uring. */
import { whyNoUring } from "./uring_support.ts";

export type Transport = "device" | "uring";

/** INIT's flag for io_uring, by its plain name. Once it is agreed on, requests come over io_uring or not at all. */
export const URING_FEATURE = "over-io-uring";

/** What a mount asks for, and where it is served. */
export interface TransportWish {
  readonly asked: Transport | "auto";
  readonly placement: "loop" | "handler";
}

/** Which transport to ask the kernel for, and with "uring" asked for, why it cannot be had. */
export function chooseTransport({ asked, placement }: TransportWish): { transport: Transport; reason?: string } {
  if (asked === "device") return { transport: "device" };
  const reason = placement === "handler"
    ? 'its threads sleep in the kernel, so it is for modules with placement "loop" only'
    : whyNoUring();
  if (reason === undefined) return { transport: "uring" };
  return asked === "uring" ? { transport: "uring", reason } : { transport: "device" };
}
