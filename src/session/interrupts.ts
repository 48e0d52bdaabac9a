/**
 * Where the loops of a session write down the interrupts that they read, as any loop may read that of any request, and the
 * kernel sends each once. Every loop has a place of its own where all write, so that one that is held up in a method keeps
 * nothing from the others. There is room for so many; who finds none tries again later.
 *
 * **Invariant.** What was written while a loop attends stays until that loop has looked: the interrupt of a request that it
 * has read, or is about to, is among what it has yet to look at. A loop attends from before it reads until nothing that it
 * has read waits; for one that sleeps, or does not serve, there is always room.
 */

/** For how many interrupts a loop has room; a power of two. */
const ROOM = 1024;

// Words of a loop's part of the memory.
/** Whether somebody is writing. */
const WRITING = 0;
/** How many were written. It goes round, and so does all that is compared with it. */
const WRITTEN = 1;
/** What `WRITTEN` was when the loop last looked. */
const SEEN = 2;
/** Whether the loop attends. */
const ATTENDS = 3;
/** The last ones: lower halves of `unique`s. A request never waits for as long as 2^31 others take, so they are enough. */
const LAST = 4;
const WORDS = LAST + ROOM;

/** The interrupts of a session. */
export type Interrupts = Int32Array<SharedArrayBuffer>;

/** The memory that all `loops` of a session share. */
export function makeInterrupts(loops: number): Interrupts {
  return new Int32Array(new SharedArrayBuffer(4 * WORDS * loops));
}

/** One loop's view: writes for all, and looks at what all wrote for it. */
export class LoopInterrupts {
  readonly #all: readonly Interrupts[];
  readonly #own: Interrupts;
  /** By loop: what it had no room for. */
  readonly #unwritten: number[][];
  #hasUnwritten = false;
  #attends = false;
  #seen = 0;

  /** For the loop number `loop`, from 0. */
  constructor(words: Interrupts, loop: number) {
    const loops = words.length / WORDS;
    this.#all = Array.from({ length: loops }, (_, index) => words.subarray(index * WORDS, (index + 1) * WORDS));
    this.#own = this.#all[loop]!;
    this.#unwritten = this.#all.map(() => []);
  }

  /** Whether a loop has had no room for something. */
  get hasUnwritten(): boolean {
    return this.#hasUnwritten;
  }

  /** Before the loop reads. */
  attend(): void {
    if (this.#attends) return;
    this.#attends = true;
    // From where it last looked, as io_uring hands over requests while the loop sleeps.
    this.#see(this.#oldest(Atomics.load(this.#own, WRITTEN)));
    Atomics.store(this.#own, ATTENDS, 1);
  }

  /** Nothing that the loop has read waits, and it reads nothing until it attends again. */
  leave(): void {
    if (!this.#attends) return;
    this.#attends = false;
    Atomics.store(this.#own, ATTENDS, 0);
  }

  /** What was written since the loop last looked; undefined when nothing was. All that it has read must be waiting by now. */
  look(): ReadonlySet<number> | undefined {
    const written = Atomics.load(this.#own, WRITTEN);
    if (written === this.#seen) return undefined;
    const found = new Set<number>();
    for (let at = this.#oldest(written); at !== written; at = (at + 1) | 0) found.add(this.#own[placeOf(at)]!);
    this.#see(written);
    return found;
  }

  /** Writes down that the kernel interrupts the request `uniqueLower`: now, or for who has no room in `writeAgain`. */
  write(uniqueLower: number): void {
    this.#all.forEach((words, loop) => {
      if (writeFor(words, uniqueLower)) return;
      this.#unwritten[loop]!.push(uniqueLower);
      this.#hasUnwritten = true;
    });
  }

  /** Writes what loops have had no room for, if they have it now. */
  writeAgain(): void {
    this.#all.forEach((words, loop) => {
      const unwritten = this.#unwritten[loop]!;
      const first = unwritten.findIndex((uniqueLower) => !writeFor(words, uniqueLower));
      unwritten.splice(0, first < 0 ? unwritten.length : first);
    });
    this.#hasUnwritten = this.#unwritten.some(({ length }) => length > 0);
  }

  /** The first that is there of what this loop has not seen. */
  #oldest(written: number): number {
    return ((written - this.#seen) | 0) > ROOM ? (written - ROOM) | 0 : this.#seen;
  }

  #see(written: number): void {
    this.#seen = written;
    Atomics.store(this.#own, SEEN, written);
  }
}

/** False when that has to be tried again. */
function writeFor(words: Interrupts, uniqueLower: number): boolean {
  // Who looks must not find a place counted that is yet to be written. Another loop is done with it in a moment.
  if (Atomics.compareExchange(words, WRITING, 0, 1) !== 0) return false;
  const written = Atomics.load(words, WRITTEN);
  const isSeen = Atomics.load(words, ATTENDS) === 0 || ((written - Atomics.load(words, SEEN)) | 0) < ROOM;
  if (isSeen) {
    words[placeOf(written)] = uniqueLower;
    Atomics.store(words, WRITTEN, written + 1);
  }
  Atomics.store(words, WRITING, 0);
  return isSeen;
}

function placeOf(count: number): number {
  return LAST + (count & (ROOM - 1));
}
