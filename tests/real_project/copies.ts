/** Steps that copy trees and files: tar, rsync with all it knows, and cp of a sparse file. */
import { assert, assertEquals } from "../deps.ts";
import type { Place } from "./place.ts";

/** The clone goes out by tar, and comes in again by tar, and both times it is the same. */
export async function archive(place: Place): Promise<void> {
  const { directory, host } = place;
  await place.shell(`mkdir ${host}/project ${directory}/project-again`);
  await place.run(["tar", "-C", `${directory}/project`, "-cf", `${host}/project.tar`, "."]);
  await place.run(["tar", "-C", `${host}/project`, "-xf", `${host}/project.tar`]);
  await place.run(["diff", "-r", "--no-dereference", `${directory}/project`, `${host}/project`]);
  await place.run(["tar", "-C", `${directory}/project-again`, "-xf", `${host}/project.tar`]);
  await place.run(["diff", "-r", "--no-dereference", `${directory}/project-again`, `${host}/project`]);
  // Made on the mount itself, compressed, and compared by tar: contents, modes, owners and times in whole seconds.
  await place.run(["tar", "-C", `${directory}/project`, "-czf", `${directory}/project.tar.gz`, "."]);
  await place.run(["tar", "-C", `${host}/project`, "--compare", "-zf", `${directory}/project.tar.gz`]);
}

/** A tree with everything that rsync -aHAX preserves. */
function makeTree(place: Place): Promise<unknown> {
  const { directory, root } = place;
  return place.shell(
    `mkdir -p "$1/deep/er/est" "$1/empty" && cd "$1"
     for n in $(seq 30); do head -c $((n * 997)) /dev/urandom > "deep/$n"; done
     ln deep/1 deep/er/one && ln deep/1 first && ln deep/2 deep/er/est/two
     ln -s deep/1 link && ln -s /nowhere dangling && ln -s .. deep/up
     mkfifo fifo && : > "a name with spaces and é"
     setfattr -n user.colour -v green deep/3 && setfattr -n user.binary -v 0x00ff00 deep/er && setfattr -n user.empty deep/4
     chmod 2750 deep/er && chmod 1777 empty && chmod 400 deep/5 && chmod 4711 deep/6
     touch -h -d '2001-02-03 04:05:06.123456789' deep/7 link && touch -d '1999-12-31 23:59:59.987654321' deep/er/est
     if [ "$2" = true ]; then mknod device c 1 3 && mknod block b 7 9 && chown 1234:4321 deep/8 && chown -h 5:6 dangling; fi`
      .replaceAll("$1", `${directory}/tree`).replaceAll("$2", String(root)),
  );
}

/** All that `rsync -aHAX` promises to keep, as text: names, kinds, modes, link counts, sizes, owners, times, xattrs. */
async function describeTree(place: Place, cwd: string): Promise<string[]> {
  const { stdout } = await place.shell(
    `find . ! -type d -printf '%P %y %m %n %s %U %G %T@ %l\\n'; find . -type d -printf '%P/ %m %n %U %G %T@\\n'
     find . -type f -exec sha256sum {} + ; find . ! -type d -links +1 -printf '%i %P\\n' | sort -k2 | awk '
       { if (!($1 in group)) group[$1] = $2; print $2, "is", group[$1] }'
     getfattr -hRP -d -e hex -m '^user\\.' . | tr '\\n' ' ' | sed 's/# file:/\\n&/g'; echo
     find . \\( -type c -o -type b \\) -exec stat -c '%n %F %t:%T' {} +`,
    { cwd },
  );
  return stdout.split("\n").map((line) => line.trim()).sort();
}

/** Out to the host and in again; the second time there is nothing to transfer. */
export async function synchronizeTree(place: Place): Promise<void> {
  const { directory, host } = place;
  await makeTree(place);
  const source = await describeTree(place, `${directory}/tree`);
  const copies = [[`${directory}/tree`, `${host}/tree`], [`${host}/tree`, `${directory}/tree-again`]] as const;
  for (const [from, to] of copies) {
    // Without a modify window rsync leaves a time alone when only its nanoseconds differ.
    const rsync = ["rsync", "-aHAX", "--modify-window=-1", "--itemize-changes", `${from}/`, `${to}/`];
    const first = await place.run(rsync);
    assert(first.stdout.includes("deep/er/one"), first.stdout);
    assertEquals(await describeTree(place, to), source, `${to} after rsync from ${from}`);
    assertEquals((await place.run(rsync)).stdout, "", `the second rsync from ${from} to ${to}`);
    assertEquals((await place.run([...rsync, "--checksum"])).stdout, "");
  }
}

const SPARSE_SIZE = 16 * 1024 * 1024;
const SPARSE_LIMIT = 1024 * 1024;

async function allocatedBytes(place: Place, file: string): Promise<number> {
  const { stdout } = await place.run(["du", "--block-size=1", file]);
  return parseInt(stdout);
}

/** Copies keep contents and holes. */
export async function copySparse(place: Place): Promise<void> {
  const { directory, host } = place;
  const original = `${directory}/sparse`;
  await place.shell(
    `truncate -s ${SPARSE_SIZE} "$1"; for m in 0 5 11; do
       head -c 10000 /dev/urandom | dd of="$1" bs=1000 seek=$((m * 1000)) conv=notrunc status=none; done`
      .replaceAll("$1", original),
  );
  const onHost = `${host}/sparse`;
  const copies = [[original, `${directory}/sparse-copy`], [original, onHost], [onHost, `${directory}/sparse-again`]];
  for (const [from, to] of copies as [string, string][]) {
    await place.run(["cp", "-a", "--sparse=always", from, to]);
    await place.run(["cmp", from, to]);
    const allocated = await allocatedBytes(place, to);
    assert(allocated > 0 && allocated < SPARSE_LIMIT, `${to} takes ${allocated} bytes of ${SPARSE_SIZE}`);
  }
  // Zeros that are written, not skipped, take room; cp makes holes of them.
  await place.shell(`head -c ${SPARSE_SIZE} /dev/zero > "${directory}/zeros"`);
  assert(await allocatedBytes(place, `${directory}/zeros`) >= SPARSE_SIZE, "written zeros must take room");
  await place.run(["cp", "--sparse=always", `${directory}/zeros`, `${directory}/zeros-copy`]);
  await place.run(["cmp", `${directory}/zeros`, `${directory}/zeros-copy`]);
  assert(await allocatedBytes(place, `${directory}/zeros-copy`) < SPARSE_LIMIT, "cp --sparse=always must leave holes");
}
