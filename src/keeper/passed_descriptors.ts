/**
 * Open files on their way to another process, which has them under numbers of its own: one message with `SCM_RIGHTS` on a
 * pair of sockets (unix(7), cmsg(3)). What is under way belongs to the socket that it waits in, and is closed with it.
 */
import {
  AF_UNIX,
  F_SETFD,
  FD_CLOEXEC,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SCM_RIGHTS,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
  SOL_SOCKET,
} from "../../ffi/libc.ts";
import { openLibc } from "../../ffi/library.ts";
import { addressOf } from "../../ffi/memory.ts";
import { errnoName } from "../fs/errors.ts";

/** How many one message takes: SCM_MAX_FD in unix(7). */
export const MOST_DESCRIPTORS = 253;

// The same on all 64-bit machines: struct iovec { void *base; size_t len; }, struct msghdr { void *name; socklen_t namelen;
// struct iovec *iov; size_t iovlen; void *control; size_t controllen; int flags; }, struct cmsghdr { size_t len; int level;
// int type; }, after which the data begins.
const IOVEC_SIZE = 16;
const MSGHDR_SIZE = 56;
const MSGHDR_IOV = 16;
const MSGHDR_CONTROLLEN = 40;
const MSGHDR_FLAGS = 48;
const CMSGHDR_SIZE = 16;

/** Two sockets that are connected, and pass to no program; whoever asks closes them. @throws when there is none left. */
export function makeSocketPair(): readonly [ours: number, theirs: number] {
  const { symbols, errno } = openLibc();
  const pair = new Int32Array(2);
  if (symbols.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, new Uint8Array(pair.buffer)) < 0) {
    throw new Error(`Cannot make a pair of sockets: ${errnoName(errno[0]!)}`);
  }
  return [pair[0]!, pair[1]!];
}

/** Runs `start` while `descriptors` pass to new processes. Nothing else of this thread can start one meanwhile. */
export function inheriting<Result>(descriptors: readonly number[], start: () => Result): Result {
  const { symbols } = openLibc();
  for (const descriptor of descriptors) symbols.fcntl(descriptor, F_SETFD, 0);
  try {
    return start();
  } finally {
    keepToProcess(descriptors);
  }
}

/** From here on programs that this process starts do not get these descriptors. */
export function keepToProcess(descriptors: readonly number[]): void {
  const { symbols } = openLibc();
  for (const descriptor of descriptors) symbols.fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

/** Sends them, and has them still. False when nobody is at the other end. @throws {Error} for what cannot be sent. */
export function sendDescriptors(socket: number, descriptors: readonly number[]): boolean {
  if (descriptors.length > MOST_DESCRIPTORS) {
    throw new RangeError(`Cannot pass ${descriptors.length} descriptors at once: at most ${MOST_DESCRIPTORS} fit`);
  }
  const message = new Message(descriptors.length);
  message.fill(descriptors);
  const { symbols, errno } = openLibc();
  if (symbols.sendmsg(socket, message.header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
  const reason = errnoName(errno[0]!);
  if (reason === "EPIPE") return false;
  throw new Error(`Cannot pass ${descriptors.length} descriptors: ${reason}`);
}

/**
 * Takes `count` descriptors out of the socket, in their order; programs that this process starts do not get them. They have
 * to be there already.
 *
 * @throws {Error} when other than `count` came, or none; what did is closed.
 */
export function receiveDescriptors(socket: number, count: number): number[] {
  const { symbols, errno } = openLibc();
  const message = new Message(count);
  const length = symbols.recvmsg(socket, message.header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (length < 0) throw new Error(`Cannot take ${count} descriptors: ${errnoName(errno[0]!)}`);
  const received = message.read();
  if (received.length === count && !message.isCut) return received;
  for (const descriptor of received) symbols.close(descriptor);
  throw new Error(`Cannot take ${count} descriptors: ${whyNot(length, received, message)}`);
}

function whyNot(length: number, received: readonly number[], { isCut }: Message): string {
  if (length === 0) return "nobody is there to send them";
  return isCut ? "more were sent, or this process may not open as many" : `${received.length} came`;
}

/** A `msghdr` of one byte, for a message must not be empty, with room for so many descriptors. */
class Message {
  readonly header = new Uint8Array(MSGHDR_SIZE);
  /** Keeps alive what the header points to. */
  readonly #parts = { byte: new Uint8Array(1), iovec: new BigUint64Array(IOVEC_SIZE / 8) };
  readonly #control: Int32Array<ArrayBuffer>;
  readonly #view = new DataView(this.header.buffer);

  constructor(count: number) {
    const { byte, iovec } = this.#parts;
    iovec.set([addressOf(byte), 1n]);
    // CMSG_SPACE: up to a multiple of 8. The part is there if it is empty, too.
    this.#control = new Int32Array(CMSGHDR_SIZE / 4 + Math.ceil(count / 2) * 2);
    const control = new Uint8Array(this.#control.buffer);
    new BigUint64Array(this.header.buffer).set([addressOf(iovec), 1n, addressOf(control)], MSGHDR_IOV / 8);
    // CMSG_LEN, without what fills it up: what does not fit is then cut, and not put there.
    this.#view.setBigUint64(MSGHDR_CONTROLLEN, BigInt(CMSGHDR_SIZE + 4 * count), true);
  }

  fill(descriptors: readonly number[]): void {
    this.#control.set([CMSGHDR_SIZE + 4 * descriptors.length, 0, SOL_SOCKET, SCM_RIGHTS, ...descriptors]);
  }

  /** Whether there was no room for all of it, or this process had no numbers. The kernel has closed the rest. */
  get isCut(): boolean {
    return (this.#view.getInt32(MSGHDR_FLAGS, true) & MSG_CTRUNC) !== 0;
  }

  /** What was received. */
  read(): number[] {
    // The kernel leaves in it how much it has written.
    if (this.#view.getBigUint64(MSGHDR_CONTROLLEN, true) < BigInt(CMSGHDR_SIZE)) return [];
    const [length = 0, , level, type, ...descriptors] = this.#control;
    if (level !== SOL_SOCKET || type !== SCM_RIGHTS) return [];
    return descriptors.slice(0, (length - CMSGHDR_SIZE) / 4);
  }
}
