/** Step with find and grep: a tree of known size is counted, searched, and removed. */
import { assertEquals } from "../deps.ts";
import type { Place } from "./place.ts";

const DIRECTORIES = 12;
const FILES = 40;

/** Every count is the one that was made. */
export async function searchTree(place: Place): Promise<void> {
  const cwd = `${place.directory}/search`;
  await place.shell(
    `mkdir "$1" && cd "$1"
     for d in $(seq ${DIRECTORIES}); do mkdir -p "$d/sub" && cd "$d/sub"
       for f in $(seq ${FILES}); do echo "file $f of $d" > "file_$f"; done
       echo "the needle in $d" > needle; : > empty; ln -s needle link; cd ../..
     done`.replaceAll("$1", cwd),
  );
  const counts: [string, number][] = [
    ["find . -type f", DIRECTORIES * (FILES + 2)],
    ["find . -type d", DIRECTORIES * 2 + 1],
    ["find . -type l", DIRECTORIES],
    ["find . -empty", DIRECTORIES],
    ["find . -name 'file_*7'", DIRECTORIES * 4],
    ["find . -type f -newermt 2020-01-01 -size -1k", DIRECTORIES],
    ["find -L . -type f -path '*/link'", DIRECTORIES],
    ["grep -r 'the needle' .", DIRECTORIES],
    ["grep -rl 'file 1[0-9] of' .", DIRECTORIES * 10],
    ["ls -R . | grep file_", DIRECTORIES * FILES],
  ];
  for (const [command, expected] of counts) {
    const { stdout } = await place.shell(`${command} | wc -l`, { cwd });
    assertEquals(Number(stdout), expected, command);
  }
  await place.run(["find", cwd, "-mindepth", "1", "-delete"]);
  await place.run(["rmdir", cwd]);
}
