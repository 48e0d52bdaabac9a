/**
 * A module of which a lookup of "gate" blocks its loop until the gate is open, one of "later" does when it is tried again,
 * and which counts what each loop answers.
 */
import { type FileSystem, Later, type LoopHost } from "../../mod.ts";

/** Shared words: whether the gate is open, how many loops are at it, and from `ANSWERED` on each loop's answers. */
export type AttendanceWords = Int32Array<SharedArrayBuffer>;

export const GATE = 0;
export const BLOCKED = 1;
export const ANSWERED = 2;

export default function makeFileSystem(words: AttendanceWords, { loop }: LoopHost): FileSystem {
  let tries = 0;
  return {
    getAttributes(node) {
      Atomics.add(words, ANSWERED + loop, 1);
      return { mode: node === 1 ? 0o40755 : 0o100644 };
    },
    lookup(_parent, name) {
      // For so long that the timer which watches the first try has run out.
      if (name === "later" && ++tries % 2 === 1) throw new Later(20);
      Atomics.add(words, BLOCKED, 1);
      Atomics.wait(words, GATE, 0);
      Atomics.sub(words, BLOCKED, 1);
      return { node: 2, attributes: { mode: 0o100644 } };
    },
  };
}
