/**
 * Waits for a device on a thread that may block. With EPOLLEXCLUSIVE a new request wakes one of the threads that wait on
 * the descriptors of a connection; poll(2) would wake them all, for one to find it (epoll_ctl(2)).
 */
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLLET, EPOLLEXCLUSIVE, EPOLLIN } from "../../ffi/libc.ts";
import type { Libc } from "../../ffi/library.ts";
import { errnoName } from "../fs/errors.ts";

/** What the events of the descriptors carry. */
const DEVICE = 1;
const STOP = 2;
const CALL = 3;

/**
 * Makes an epoll descriptor that waits for `device` and for any of `stops`. Whoever makes it closes it: the thread that
 * waits may be ended at any moment.
 *
 * @throws when the process has no descriptor left.
 */
export function openDevicePoll(libc: Libc, device: number, ...stops: number[]): number {
  const descriptor = libc.symbols.epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) throw new Error(`Cannot wait for requests: ${errnoName(libc.errno[0]!)}`);
  add(libc, descriptor, device, EPOLLIN | EPOLLEXCLUSIVE, DEVICE);
  for (const stop of stops) add(libc, descriptor, stop, EPOLLIN, STOP);
  return descriptor;
}

/**
 * Makes an epoll descriptor for a loop that rests: `timer` wakes one of those that wait, `rally` and `stop` all, for as
 * long as they can be read. Whoever makes it closes it.
 *
 * @throws when the process has no descriptor left.
 */
export function openRestPoll(
  libc: Libc,
  { timer, rally, stop }: { readonly timer: number; readonly rally: number; readonly stop: number },
): number {
  const descriptor = openDevicePoll(libc, timer, stop);
  add(libc, descriptor, rally, EPOLLIN, CALL);
  return descriptor;
}

/**
 * Lets every write to `eventfd` end one wait on `poll`, and none other: edge-triggered, so that nobody has to read it.
 *
 * @throws when the kernel has no memory left for it.
 */
export function addCall(libc: Libc, poll: number, eventfd: number): void {
  add(libc, poll, eventfd, EPOLLIN | EPOLLET, CALL);
}

function add({ symbols, errno }: Libc, poll: number, descriptor: number, events: number, data: number): void {
  const event = new Uint32Array(EVENT_WORDS).fill(data);
  event[0] = events;
  if (symbols.epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, new Uint8Array(event.buffer)) < 0) {
    throw new Error(`Cannot wait for descriptor ${descriptor}: ${errnoName(errno[0]!)}`);
  }
}

/**
 * One `struct epoll_event`, 12 bytes on x86_64 and 16 elsewhere: `events`, then 8 bytes of data, with or without padding
 * between. With all words after the first alike, the third is the data's on both.
 */
const EVENT_WORDS = 4;

/** Waits on a descriptor of {@linkcode openDevicePoll}. */
export class DevicePoll {
  readonly #libc: Libc;
  readonly #descriptor: number;
  readonly #event = new Uint32Array(EVENT_WORDS);
  readonly #eventBytes = new Uint8Array(this.#event.buffer);

  constructor(libc: Libc, descriptor: number) {
    this.#libc = libc;
    this.#descriptor = descriptor;
  }

  /** Whether the device has a request now. */
  hasRequest(): boolean {
    return this.#libc.symbols.epoll_wait(this.#descriptor, this.#eventBytes, 1, 0) > 0 && this.#event[2] === DEVICE;
  }

  /** Blocks the thread until something is there, at most for `milliseconds` (-1: for ever). True when it is to stop. */
  wait(milliseconds: number): boolean {
    return this.#libc.symbols.epoll_wait(this.#descriptor, this.#eventBytes, 1, milliseconds) > 0 &&
      this.#event[2] === STOP;
  }
}
