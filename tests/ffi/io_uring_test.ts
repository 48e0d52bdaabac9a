/** Checks ffi/io_uring.ts against the installed headers with a C compiler. */
import { assertEquals } from "../deps.ts";
import * as IO_URING from "../../ffi/io_uring.ts";
import { runC } from "../support/run_c.ts";

const { URING_STRUCT, ...NUMBERS } = IO_URING;

/** What came after Linux 6.1, and may not be in the installed header: then its value is taken on trust. */
const LATER = new Set(["IORING_ENTER_NO_IOWAIT", "IORING_FEAT_NO_IOWAIT"]);

/** C expressions and what they must be. */
function* rows(): Iterable<[c: string, expected: bigint]> {
  for (const [name, value] of Object.entries(NUMBERS)) {
    yield [name.startsWith("SYS_") ? name.replace("SYS_", "__NR_") : name, BigInt(value)];
  }
  for (const [struct, layout] of Object.entries(URING_STRUCT)) {
    for (const [field, offset] of Object.entries(layout)) {
      yield [field === "SIZE" ? `sizeof(struct ${struct})` : `offsetof(struct ${struct}, ${field})`, BigInt(offset)];
    }
  }
}

Deno.test("io_uring's numbers and structs are those of linux/io_uring.h", async () => {
  const expected = [...rows()];
  const lines = expected.map(([c, value]) => {
    const print = `printf("%llu\\n", (unsigned long long)(${c}));`;
    return LATER.has(c) ? `\n#ifdef ${c}\n${print}\n#else\nprintf("${value}\\n");\n#endif\n` : print;
  });
  const output = await runC(
    `#include <stddef.h>\n#include <stdio.h>\n#include <asm/unistd.h>\n#include <linux/io_uring.h>\nint main(void) { ${
      lines.join("\n")
    } return 0; }`,
  );
  const measured = output.trim().split("\n").map((line, index) => [expected[index]![0], BigInt(line)]);
  assertEquals(measured, expected);
});

Deno.test("the flags of mmap are those of sys/mman.h", async () => {
  const output = await runC(
    `#define _GNU_SOURCE\n#include <stdio.h>\n#include <sys/mman.h>\n
    int main(void) { printf("%d %#x", PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE); return 0; }`,
  );
  assertEquals(output, "3 0x8001");
});
