/**
 * Waits for a device on a thread that may block. With EPOLLEXCLUSIVE a new request wakes one of the threads that wait on
 * the descriptors of a connection; poll(2) would wake them all, for one to find it (epoll_ctl(2)).
 */
import type { Libc } from "../../ffi/library.ts";
import { errnoName } from "../fs/errors.ts";

// sys/epoll.h
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const EPOLLEXCLUSIVE = 1 << 28;

/** What the events of the two descriptors carry. */
const DEVICE = 1;
const STOP = 2;

export class DevicePoll implements Disposable {
  readonly #libc: Libc;
  readonly #descriptor: number;
  /**
   * One `struct epoll_event`, 12 bytes on x86_64 and 16 elsewhere: `events`, then 8 bytes of data, with or without
   * padding between. All words after the first are set alike, so that the third is the data's on both.
   */
  readonly #event = new Uint32Array(4);
  readonly #eventBytes = new Uint8Array(this.#event.buffer);

  /** @throws when the process has no descriptor left. */
  constructor(libc: Libc, device: number, stop: number) {
    this.#libc = libc;
    this.#descriptor = libc.symbols.epoll_create1(EPOLL_CLOEXEC);
    if (this.#descriptor < 0) throw new Error(`Cannot wait for requests: ${errnoName(libc.errno[0]!)}`);
    this.#add(device, EPOLLIN | EPOLLEXCLUSIVE, DEVICE);
    this.#add(stop, EPOLLIN, STOP);
  }

  /** Blocks the thread until something is there, at most for `milliseconds` (-1: for ever). True when it is to stop. */
  wait(milliseconds: number): boolean {
    return this.#libc.symbols.epoll_wait(this.#descriptor, this.#eventBytes, 1, milliseconds) > 0 &&
      this.#event[2] === STOP;
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.close(this.#descriptor);
  }

  #add(descriptor: number, events: number, data: number): void {
    this.#event.fill(data, 1);
    this.#event[0] = events;
    const { symbols, errno } = this.#libc;
    if (symbols.epoll_ctl(this.#descriptor, EPOLL_CTL_ADD, descriptor, this.#eventBytes) < 0) {
      throw new Error(`Cannot wait for descriptor ${descriptor}: ${errnoName(errno[0]!)}`);
    }
  }
}
