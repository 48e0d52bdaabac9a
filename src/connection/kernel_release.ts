/** What the running kernel's FUSE can do by its release, where the kernel need not be asked. */
import { isKernelFrom } from "../../ffi/kernel_release.ts";

/** Whether this kernel can send requests again: Linux 6.9 and newer, always (fuse_send_init). */
export function kernelResends(): boolean {
  return isKernelFrom(6, 9);
}
