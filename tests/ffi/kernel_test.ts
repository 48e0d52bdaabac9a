/**
 * Checks ffi/kernel.ts and ffi/structs.ts against the installed linux/fuse.h with a C compiler. Rows that this header is
 * too old for are named in the output; the same numbers hold on every architecture, because every field of the header has
 * a fixed width and explicit padding (its own comment says so: "all structures are 64-bit aligned").
 */
import { assert, assertEquals } from "../deps.ts";
import * as KERNEL from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { runC } from "../support/run_c.ts";

const HEADER = "/usr/include/linux/fuse.h";

Deno.test("the kernel's numbers are those of linux/fuse.h", async () => {
  const header = await Deno.readTextFile(HEADER);
  const rows = [...constants(), ...structs(header)];
  const known = rows.filter(({ word }) => new RegExp(`\\b${word}\\b`).test(header));
  const unknown = rows.filter((row) => !known.includes(row));
  if (unknown.length > 0) console.log(`    not in this header: ${unknown.map((row) => row.label).join(", ")}`);
  assert(known.length > 350, `only ${known.length} of ${rows.length} rows are in ${HEADER}`);
  const lines = known.map(({ label, c }) => `printf("%s %llu\\n", "${label}", (unsigned long long)(${c}));`);
  const output = await runC(
    `#include <stdio.h>\n#include <stddef.h>\n#include <sys/ioctl.h>\n#include <linux/fuse.h>\nint main(void) { ${
      lines.join("\n")
    } return 0; }`,
  );
  const measured = new Map(output.trim().split("\n").map((line) => line.split(" ") as [string, string]));
  for (const { label, expected } of known) assertEquals([label, measured.get(label)], [label, String(expected)]);
});

interface Row {
  /** The C name that must be in the header for the row to be checked. */
  readonly word: string;
  readonly label: string;
  readonly c: string;
  readonly expected: bigint;
}

function* constants(): Iterable<Row> {
  for (const [name, bit] of Object.entries(KERNEL.INIT_FLAG_BITS)) {
    yield { word: name, label: name, c: name, expected: 1n << BigInt(bit) };
  }
  for (const [name, opcode] of Object.entries(KERNEL.OPCODE)) {
    const word = name === "CUSE_INIT" ? name : `FUSE_${name}`;
    yield { word, label: word, c: word, expected: BigInt(opcode) };
  }
  for (const [name, code] of Object.entries(KERNEL.NOTIFY)) {
    yield { word: `FUSE_NOTIFY_${name}`, label: `NOTIFY_${name}`, c: `FUSE_NOTIFY_${name}`, expected: BigInt(code) };
  }
  // The header defines the protocol's version as its own, which differs from kernel to kernel.
  const own = new Set(["FUSE_KERNEL_MINOR_VERSION", "FUSE_UNIQUE_RESEND_UPPER"]);
  for (const [name, value] of Object.entries(KERNEL)) {
    if (typeof value === "number" && !own.has(name)) {
      yield { word: name, label: name, c: name, expected: BigInt(value) };
    }
  }
}

function* structs(header: string): Iterable<Row> {
  for (const [name, layout] of Object.entries(STRUCT)) {
    const body = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(header)?.[1] ?? "";
    for (const [field, offset] of Object.entries(layout)) {
      if (field === "SIZE") {
        // An old header's struct may end where a newer one has gone on into its padding; sizes never change.
        yield { word: name, label: name, c: `sizeof(struct ${name})`, expected: BigInt(offset) };
      } else {
        const there = new RegExp(`\\b${field}\\b`).test(body);
        yield {
          word: there ? name : `${name}::${field}`,
          label: `${name}.${field}`,
          c: `offsetof(struct ${name}, ${field})`,
          expected: BigInt(offset),
        };
      }
    }
  }
}
