/** The numbers of the contract are this system's (on x86_64; those of 64-bit Arm are from the headers that the file names). */
import { assertEquals } from "../deps.ts";
import * as FLAGS from "../../src/fs/flags.ts";
import { runC } from "../support/run_c.ts";

Deno.test("modes, open flags and the like have the values of the C headers", async () => {
  const names = Object.keys(FLAGS);
  const lines = names.map((name) => `printf("%s %u\\n", "${name}", (unsigned)(${LARGE[name] ?? name}));`);
  const output = await runC(`#define _GNU_SOURCE
    #include <fcntl.h>
    #include <poll.h>
    #include <stdio.h>
    #include <sys/stat.h>
    #include <sys/xattr.h>
    #include <unistd.h>
    #include <linux/falloc.h>
    int main(void) { ${lines.join("\n")} return 0; }`);
  assertEquals(output.trim().split("\n"), Object.entries(FLAGS).map(([name, value]) => `${name} ${value >>> 0}`));
});

/** glibc hides the kernel's own value on 64-bit machines, where every file is large. */
const LARGE: Readonly<Record<string, string>> = { O_LARGEFILE: "__O_LARGEFILE ? __O_LARGEFILE : 0100000" };
