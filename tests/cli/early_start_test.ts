/** What the tool begins before it knows what it is to do. */
import { guessServing, type Serving } from "../../src/cli/early_start.ts";
import { assertEquals } from "../deps.ts";

const [HERE, THERE] = ["this process", "another"] as const;

const LINES: [line: string, serving: Serving | undefined][] = [
  ["mount /mnt/x", HERE],
  ["mount -o size=1G /mnt/x", HERE],
  ["mount -o keep_content /mnt/x", THERE],
  ["mount -o keep_content,process=separate /mnt/x", THERE],
  ["mount /src /mnt/x", THERE],
  ["mount -o loops=2 /src /mnt/x", THERE],
  ["mount -o process=same,loops=1 /src /mnt/x", HERE],
  ["--debug mount --foreground /mnt/x", HERE],
  ["mount", undefined],
  ["mount --config trellis.toml", undefined],
  ["mount -c trellis.toml /mnt/x", undefined],
  ["mount -o process=same -c trellis.toml", HERE],
  ["mount -o process=separate -c trellis.toml", THERE],
  ["mount -b /src /mnt/x", undefined],
  ["mount -fb /src /mnt/x", undefined],
  ["mount --background /src /mnt/x", undefined],
  ["mount -o loops=1,process=separate /src /mnt/x", THERE],
  ["mount -oprocess=separate /mnt/x", THERE],
  ["mount --help", undefined],
  ["umount mount /mnt/x", undefined],
  ["", undefined],
];

Deno.test("who is to serve a mount is guessed by its command line", () => {
  for (const [line, expected] of LINES) assertEquals(guessServing(line.split(" "), true), expected, line);
});

Deno.test("a directory is served by who mounts it where the kernel cannot send requests again", () => {
  assertEquals(guessServing(["mount", "/src", "/mnt/x"], false), HERE);
});
