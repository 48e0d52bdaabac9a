/** When the tool begins a loop's thread before it knows what it is to do. */
import { looksLikeServing } from "../../src/cli/first_loop.ts";
import { assertEquals } from "../deps.ts";

const LINES: [line: string, isServing: boolean][] = [
  ["mount /mnt/x", true],
  ["mount -o size=1G /mnt/x", true],
  ["mount -o keep_content /mnt/x", false],
  ["mount /src /mnt/x", false],
  ["mount -o process=same,loops=1 /src /mnt/x", true],
  ["--debug mount --foreground /mnt/x", true],
  ["mount --config trellis.toml", false],
  ["mount -c trellis.toml /mnt/x", false],
  ["mount -o process=same -c trellis.toml", true],
  ["mount -b /src /mnt/x", false],
  ["mount -fb /src /mnt/x", false],
  ["mount --background /src /mnt/x", false],
  ["mount -o loops=1,process=separate /src /mnt/x", false],
  ["mount -oprocess=separate /src /mnt/x", false],
  ["mount --help", false],
  ["umount mount", false],
  ["", false],
];

Deno.test("a loop's thread is begun for a mount that this process is to serve", () => {
  for (const [line, expected] of LINES) assertEquals(looksLikeServing(line.split(" ")), expected, line);
});
