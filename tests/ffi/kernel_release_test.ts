/** Which kernel a release is of. */
import { isKernelFrom } from "../../ffi/kernel_release.ts";
import { assertEquals } from "../deps.ts";

Deno.test("a release is of a kernel or a later one, or it is not", () => {
  const releases = ["6.9.0", "6.18.3-arch1-1", "7.0", "10.0.1-x", "6.8.12", "6.1.0-21-amd64", "5.15.0", "4.4", "?", ""];
  const from = releases.filter((release) => isKernelFrom(6, 9, release));
  assertEquals(from, ["6.9.0", "6.18.3-arch1-1", "7.0", "10.0.1-x"]);
});

Deno.test("this kernel has a release", () => {
  assertEquals([isKernelFrom(0, 0), isKernelFrom(99, 0)], [true, false]);
});
