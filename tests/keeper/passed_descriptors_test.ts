/** Open files on their way over a socket: what comes is what was sent, and what cannot be taken is closed. */
import { openLibc } from "../../ffi/library.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import {
  makeSocketPair,
  MOST_DESCRIPTORS,
  receiveDescriptors,
  sendDescriptors,
} from "../../src/keeper/passed_descriptors.ts";
import { createKept } from "../../src/kept/kept_memory.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";

const { symbols } = openLibc();

/** resource.h */
const RLIMIT_NOFILE = 7;

/** Two sockets and so many open files; what is open at the end is closed, and no more is open than before. */
function withFiles(count: number, act: (ours: number, theirs: number, files: number[]) => number[] | void): void {
  const before = openDescriptors().length;
  const [ours, theirs] = makeSocketPair();
  const files = Array.from({ length: count }, (_, index) => createKept(`passed-${index}`));
  const taken = act(ours, theirs, files) ?? [];
  for (const descriptor of [...taken, ours, theirs, ...files]) symbols.close(descriptor);
  assertEquals(openDescriptors().length, before);
}

function openDescriptors(): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name);
}

/** What a descriptor is of, as in `/memfd:passed-1`. */
function fileOf(descriptor: number): string {
  return Deno.readLinkSync(`/proc/self/fd/${descriptor}`).replace(" (deleted)", "");
}

Deno.test("descriptors come in their order, under other numbers, and pass to no program", () => {
  for (const count of [1, 2, 7, MOST_DESCRIPTORS]) {
    withFiles(count, (ours, theirs, files) => {
      assert(sendDescriptors(ours, files));
      const taken = receiveDescriptors(theirs, count);
      assertEquals(taken.map(fileOf), files.map((_, index) => `/memfd:passed-${index}`));
      assert(taken.every((descriptor) => !files.includes(descriptor)));
      for (const descriptor of taken) {
        const flags = /^flags:\s*(\d+)$/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${descriptor}`))![1]!;
        assert(parseInt(flags, 8) & 0o2000000, "close-on-exec");
      }
      return taken;
    });
  }
});

Deno.test("they come also when who sent them has closed them, and its socket", () => {
  withFiles(2, (ours, theirs, files) => {
    sendDescriptors(ours, files);
    for (const descriptor of [...files, ours]) symbols.close(descriptor);
    const taken = receiveDescriptors(theirs, 2);
    assertEquals(taken.map(fileOf), ["/memfd:passed-0", "/memfd:passed-1"]);
    // In the place of what is closed.
    [ours, ...files].forEach((place) => symbols.dup2(theirs, place));
    return taken;
  });
});

Deno.test("what comes in another number than was said is refused, and closed", () => {
  for (const [sent, wanted, says] of [[3, 2, "more were sent"], [4, 1, "more were sent"], [2, 3, "2 came"]] as const) {
    withFiles(sent, (ours, theirs, files) => {
      sendDescriptors(ours, files);
      assertThrows(() => void receiveDescriptors(theirs, wanted), Error, says);
    });
  }
});

Deno.test("a message without descriptors, none at all, and nobody at the other end are told from each other", () => {
  withFiles(1, (ours, theirs, files) => {
    symbols.send(ours, new Uint8Array(1), 1, 0);
    assertThrows(() => void receiveDescriptors(theirs, 1), Error, "0 came");
    assertThrows(() => void receiveDescriptors(theirs, 1), Error, "EAGAIN");
    symbols.dup2(files[0]!, theirs);
    assertEquals(sendDescriptors(ours, files), false);
  });
  withFiles(1, (ours, theirs, files) => {
    symbols.dup2(files[0]!, ours);
    assertThrows(() => void receiveDescriptors(theirs, 1), Error, "nobody is there");
  });
});

Deno.test("what cannot be sent is an error of who sends it", () => {
  withFiles(1, (ours, _theirs, [file]) => {
    assertThrows(() => void sendDescriptors(ours, Array(MOST_DESCRIPTORS + 1).fill(file)), RangeError, "at most 253");
    assertThrows(() => void sendDescriptors(ours, [file!, 1 << 20]), Error, "EBADF");
    assertThrows(() => void sendDescriptors(file!, [file!]), Error, "ENOTSOCK");
  });
});

Deno.test("where the process may open less than that, none are taken", () => {
  withFiles(4, (ours, theirs, files) => {
    sendDescriptors(ours, files);
    withFewFree(2, () => assertThrows(() => void receiveDescriptors(theirs, 4), Error, "may not open as many"));
  });
});

/** Runs `act` while this process may open so many files more. */
function withFewFree(free: number, act: () => void): void {
  const limits = new BigUint64Array(2);
  const set = () => openFiles().prlimit(0, RLIMIT_NOFILE, new Uint8Array(limits.buffer), null);
  openFiles().prlimit(0, RLIMIT_NOFILE, null, new Uint8Array(limits.buffer));
  const [soft] = limits;
  limits[0] = 128n;
  assertEquals(set(), 0);
  const fillers: number[] = [];
  try {
    for (let filler; (filler = symbols.dup(0)) >= 0;) fillers.push(filler);
    for (const descriptor of fillers.splice(0, free)) symbols.close(descriptor);
    act();
  } finally {
    limits[0] = soft!;
    set();
    for (const filler of fillers) symbols.close(filler);
  }
}
