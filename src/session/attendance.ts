/**
 * How many loops of a session attend to the device: all of them, or one while the others rest.
 *
 * A request wakes a loop that sleeps on the device even where another is about to read it: that is a switch of threads
 * for nothing, on the core that the client needs. A single client is therefore served by one loop. Several are better
 * off with all loops, which sleep between requests: each can then share a core with one of the clients, and a switch
 * between two threads of a core is ten times cheaper than waking one on another core. So one loop calls the others when
 * callers take turns, and when requests come faster than it answers them. A request may also hold it up (a slow disk, a
 * lock of the filesystem underneath): then a timer wakes one that rests, and all attend. After a number of requests that
 * all have attended to, one of them tries again whether it is enough. `docs/performance.md` has the figures.
 *
 * **Invariant.** While the device may have a request, a loop sleeps on it, will read it, or is watched by the timer: who
 * attends alone sleeps on nothing else, and who goes to rest sets the timer unless the other sleeps, who sets it then when
 * it wakes up.
 */
import { CLOCK_MONOTONIC, TFD_CLOEXEC, TFD_NONBLOCK } from "../../ffi/libc.ts";
import type { Libc } from "../../ffi/library.ts";
import { errnoName } from "../fs/errors.ts";
import type { LoopAttendance } from "../messages.ts";
import { DevicePoll, openRestPoll } from "../transport/device_poll.ts";
import { Spin } from "../transport/spin.ts";
import { openEventfd, signalEventfd } from "../transport/eventfd.ts";

// Words of the memory that all loops of a session share.
/** The number of the loop that attends alone, from 1; 0: all do. */
const ATTENDANT = 0;
/** How many requests were begun by who attended alone. */
const BEGUN = 1;
/** `BEGUN` when the timer was set. */
const BEGUN_BEFORE = 2;
/** Whether who attends alone sleeps on the device. */
const ASLEEP = 3;
/** Whether the timer is set. */
const TIMED = 4;
/** Whose the last request was (`pid` of `fuse_in_header`, a thread's). */
const CALLER = 5;
/** Whose the last one was that was not the `CALLER`'s. */
const CALLER_BEFORE = 6;
/** How many requests a loop serves beside others before it tries alone. */
const TRIAL = 7;
const WORDS = 8;

const ALL = 0;

/** Requests without a break from which on the loop looks whether others wait behind each. */
const CROWD = 8;

/** In how many looks in a row others must wait. One client has two on their way now and then: RELEASE does not wait. */
const LOOKS = 3;

/** Of so many requests whose caller is known it is looked at how many were not of the one before: turns. */
const CALLS = 32;

/**
 * Callers take turns when more than one request in so many is a turn. They still do when in more than one of so many the
 * caller before is back, as it is not where programs run one after the other: while all loops attend, callers that share
 * their cores with loops each ask many times in a row.
 */
const TURN = 4;
const BACK = 1024;

/** `TRIAL` after turns, and after a long request: more than a caller makes while another's core is its. */
const LONG_TRIAL = 1024;

/** `TRIAL` after a crowd: it may be one program's, for which the kernel reads ahead. */
const SHORT_TRIAL = 64;

/** Milliseconds that a request may hold up all others. */
const PATIENCE = 4;

/** What the loops of a session share, on the side that mounts. */
export class Attendance implements Disposable {
  readonly #libc: Libc;
  readonly #words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  readonly #rally: number;
  readonly #timer: number;
  readonly #rests: number[] = [];

  /** @throws when the process has no descriptor left. */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#rally = openEventfd(libc);
    this.#timer = libc.symbols.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (this.#timer < 0) throw new Error(`Cannot let loops rest: ${errnoName(libc.errno[0]!)}`);
    this.#words[ATTENDANT] = 1;
  }

  /** For one loop more, which stops when `stop` can be read. */
  add(stop: number): LoopAttendance {
    const rest = openRestPoll(this.#libc, { rally: this.#rally, timer: this.#timer, stop });
    const number = this.#rests.push(rest);
    return { words: this.#words, rally: this.#rally, timer: this.#timer, rest, number };
  }

  [Symbol.dispose](): void {
    for (const descriptor of [...this.#rests, this.#timer, this.#rally]) this.#libc.symbols.close(descriptor);
  }
}

/** One loop's part: when it reads, sleeps and rests. */
export class Attendant {
  readonly #libc: Libc;
  readonly #device: DevicePoll;
  readonly #shared: LoopAttendance | undefined;
  readonly #rest: DevicePoll | undefined;
  readonly #counter = new Uint8Array(8);
  readonly #spin: Spin;
  #withoutBreak = 0;
  #besideOthers = 0;
  /**
   * Requests whose caller is known; how many of them were of another than the session's one before; and of these, how many
   * of the one before that.
   */
  #calls = 0;
  #turns = 0;
  #backs = 0;

  /** `shared` is undefined for the only loop of a session. */
  constructor(libc: Libc, device: DevicePoll, shared: LoopAttendance | undefined, spin: Spin = new Spin()) {
    this.#libc = libc;
    this.#spin = spin;
    this.#device = device;
    this.#shared = shared;
    this.#rest = shared && new DevicePoll(libc, shared.rest);
  }

  /** Before a request of `caller` is served: its `pid`, 0 where the kernel says none (FORGET, RELEASE). */
  begin(caller: number): void {
    this.#spin.end();
    if (this.#shared === undefined) return;
    const { words, number } = this.#shared;
    if (caller !== 0) this.#count(caller);
    if (Atomics.load(words, ATTENDANT) !== number) return this.#beginBesideOthers();
    Atomics.add(words, BEGUN, 1);
    if (this.#calls >= CALLS && this.#endCount(this.#turns, TURN)) {
      this.callAll();
    } else if (++this.#withoutBreak > CROWD && this.#isCrowd()) {
      this.callAll(SHORT_TRIAL);
    } else if (Atomics.load(words, TIMED) === 0) this.#setTimer();
  }

  /**
   * When the device was empty: returns when it is to be read again, or after `milliseconds` (-1: not by itself). True when
   * the loop is to stop.
   */
  wait(milliseconds: number): boolean {
    this.#withoutBreak = 0;
    if (this.#shared === undefined) return this.#spin.goesOn() ? false : this.#device.wait(milliseconds);
    const { words, number } = this.#shared;
    const attendant = Atomics.load(words, ATTENDANT);
    if (attendant === ALL) return this.#device.wait(milliseconds);
    if (attendant !== number) return this.#restAndHeed(milliseconds);
    if (this.#spin.goesOn()) return false;
    Atomics.store(words, ASLEEP, 1);
    const stop = this.#device.wait(milliseconds);
    Atomics.store(words, ASLEEP, 0);
    return stop;
  }

  /** If this loop attends alone, all do until one has served `trial` requests beside others. It may leave then. */
  callAll(trial: number = LONG_TRIAL): void {
    if (this.#shared !== undefined) this.#callAllInsteadOf(this.#shared.number, trial);
  }

  /**
   * Whether requests wait while one is to be served. That the device is never found empty does not say so: a client on
   * this loop's core takes it as soon as it has its answer, and has asked the next thing before the loop reads again.
   */
  #isCrowd(): boolean {
    if (!this.#device.hasRequest()) this.#withoutBreak = 0;
    return this.#withoutBreak >= CROWD + LOOKS;
  }

  #count(caller: number): void {
    const { words } = this.#shared!;
    this.#calls++;
    const before = Atomics.exchange(words, CALLER, caller);
    if (before === caller) return;
    this.#turns++;
    if (Atomics.exchange(words, CALLER_BEFORE, before) === caller) this.#backs++;
  }

  /** Whether so many were more than one of `among` of the calls since this was last asked. All are counted anew. */
  #endCount(count: number, among: number): boolean {
    const exceeds = count * among > this.#calls;
    this.#calls = this.#turns = this.#backs = 0;
    return exceeds;
  }

  #beginBesideOthers(): void {
    const { words, number, rally } = this.#shared!;
    if (++this.#besideOthers < words[TRIAL]! || Atomics.load(words, ATTENDANT) !== ALL) return;
    this.#besideOthers = 0;
    if (this.#endCount(this.#backs, BACK)) return;
    // While all attend nobody calls: what is read here is an old call.
    this.#read(rally);
    Atomics.store(words, ASLEEP, 0);
    Atomics.compareExchange(words, ATTENDANT, ALL, number);
  }

  #restAndHeed(milliseconds: number): boolean {
    const { words, rally, timer } = this.#shared!;
    if (Atomics.load(words, ASLEEP) === 0) this.#setTimer();
    const stop = this.#rest!.wait(milliseconds);
    if (Atomics.load(words, ATTENDANT) === ALL) return stop;
    if (this.#read(timer)) this.#heedTimer();
    // A call that came late, when one loop attended alone again, would go on waking; unless it has just come.
    else if (this.#read(rally) && Atomics.load(words, ATTENDANT) === ALL) this.#call();
    return stop;
  }

  /** The timer has run out: looks after who attends alone. */
  #heedTimer(): void {
    const { words } = this.#shared!;
    const attendant = Atomics.load(words, ATTENDANT);
    const isAsleep = () => Atomics.load(words, ASLEEP) === 1;
    if (isAsleep()) {
      // In this order, as who wakes up stores `ASLEEP` before it looks whether the timer is set: one sees the other.
      Atomics.store(words, TIMED, 0);
      if (!isAsleep()) this.#setTimer();
    } else if (Atomics.load(words, BEGUN) === Atomics.load(words, BEGUN_BEFORE)) {
      Atomics.store(words, TIMED, 0);
      this.#callAllInsteadOf(attendant, LONG_TRIAL);
    } else {
      this.#startTimer();
    }
  }

  #setTimer(): void {
    if (Atomics.compareExchange(this.#shared!.words, TIMED, 0, 1) === 0) this.#startTimer();
  }

  #startTimer(): void {
    const { words, timer } = this.#shared!;
    Atomics.store(words, BEGUN_BEFORE, Atomics.load(words, BEGUN));
    this.#libc.symbols.timerfd_settime(timer, 0, ONCE, null);
  }

  #callAllInsteadOf(attendant: number, trial: number): void {
    if (attendant === ALL) return;
    this.#shared!.words[TRIAL] = trial;
    if (Atomics.compareExchange(this.#shared!.words, ATTENDANT, attendant, ALL) === attendant) this.#call();
  }

  #call(): void {
    signalEventfd(this.#libc, this.#shared!.rally);
  }

  /** Whether there was something to read from an eventfd or timerfd; there is not any more. */
  #read(descriptor: number): boolean {
    return this.#libc.symbols.read(descriptor, this.#counter, this.#counter.length) > 0;
  }
}

/** `struct itimerspec` of `PATIENCE`, without a second time. */
const ONCE = new Uint8Array(new BigInt64Array([0n, 0n, 0n, BigInt(PATIENCE * 1_000_000)]).buffer);
