/**
 * A FUSE connection: the mount and its device descriptor. libfuse mounts (it knows fusermount3 and the options); from
 * then on the descriptor is ours.
 */
import { FUSE_DEV_IOC_CLONE } from "../../ffi/kernel.ts";
import { F_DUPFD_CLOEXEC, F_SETFL } from "../../ffi/libc.ts";
import { type Libc, openLibc, openLibfuse } from "../../ffi/library.ts";
import { addressOf, cString } from "../../ffi/memory.ts";
import { errnoName } from "../fs/errors.ts";
import { O_CLOEXEC, O_NONBLOCK, O_RDWR, POLLERR, POLLIN } from "../fs/flags.ts";
import { encodeNotification } from "../protocol/notification.ts";
import type { Feature } from "./features.ts";
import { agree, type Agreement, decodeInit, encodeInit, type KernelOffer } from "./handshake.ts";
import { findMount, findMountNow } from "./mount_table.ts";
import { captureStandardError } from "./standard_error.ts";
import { UnmountError, unmountLazily } from "./unmount.ts";

/** The kernel queues INIT while it mounts; only a device that somebody else mounts may let it wait. */
const INIT_DEADLINE_MILLISECONDS = 10_000;

/** The kernel wants room for at least FUSE_MIN_READ_BUFFER. */
const INIT_BUFFER = 1 << 16;

/** Mounting failed; the message says what was tried on what, and what libfuse said. */
export class MountError extends Error {
  /** The name of the class. */
  override readonly name = "MountError";
}

/** Holds a mount from `mount` to `dispose`. */
export class Connection implements Disposable {
  readonly mountpoint: string;
  readonly #libc: Libc;
  readonly #session: Deno.PointerObject;
  /** The device; a descriptor of our own, since libfuse closes its. */
  readonly device: number;
  readonly #clones: number[] = [];
  /** `st_dev` of the mount as the mount table writes it; undefined when somebody else mounted. */
  readonly mountedDevice: string | undefined;
  /** The kernel's INIT, and what it offers; once it has been read. */
  #init: { readonly request: Uint8Array<ArrayBuffer>; readonly offer: KernelOffer } | undefined;
  #unmounting: Promise<void> | undefined;

  private constructor(mountpoint: string, session: Deno.PointerObject, device: number) {
    this.#libc = openLibc();
    this.mountpoint = mountpoint;
    this.#session = session;
    this.device = device;
    this.mountedDevice = findMountNow(mountpoint)?.device;
  }

  /**
   * Mounts. `options` are those of mount.fuse3(8), each as `name` or `name=value`, with commas in values escaped.
   *
   * @throws {MountError} when libfuse or the kernel refuses.
   */
  static mount(mountpoint: string, options: readonly string[]): Connection {
    const { symbols } = openLibfuse();
    const libc = openLibc();
    const session = newSession(mountpoint, options);
    const { result, text } = captureStandardError(() => symbols.fuse_session_mount(session, cString(mountpoint)));
    if (result !== 0) {
      symbols.fuse_session_destroy(session);
      throw new MountError(`Cannot mount on "${mountpoint}"${text === "" ? "" : `: ${text}`}`);
    }
    if (text !== "") Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
    const device = libc.symbols.fcntl(symbols.fuse_session_fd(session), F_DUPFD_CLOEXEC, 3);
    if (device < 0) {
      symbols.fuse_session_destroy(session);
      throw new MountError(`Cannot keep the device of "${mountpoint}": ${errnoName(libc.errno[0]!)}`);
    }
    return new Connection(mountpoint, session, device);
  }

  /** What the kernel offers: reads its INIT. @throws {MountError} */
  readOffer(): KernelOffer {
    return this.#readInit().offer;
  }

  /** Reads the kernel's INIT, if nobody has, and answers it. @throws {MountError} */
  handshake(wanted: ReadonlySet<Feature>, maxWrite?: number): { offer: KernelOffer; agreement: Agreement } {
    const { symbols, errno } = this.#libc;
    const { request, offer } = this.#readInit();
    const agreement = agree(offer, wanted, maxWrite);
    const reply = encodeInit(request, offer, agreement);
    if (symbols.write(this.device, reply, reply.length) < 0) {
      throw new MountError(`Cannot answer INIT of "${this.mountpoint}": ${errnoName(errno[0]!)}`);
    }
    symbols.fcntl(this.device, F_SETFL, O_NONBLOCK);
    return { offer, agreement };
  }

  #readInit() {
    if (this.#init !== undefined) return this.#init;
    const { symbols, errno } = this.#libc;
    const events = new Int16Array(4);
    new Int32Array(events.buffer)[0] = this.device;
    events[2] = POLLIN;
    const ready = symbols.poll(new Uint8Array(events.buffer), 1, INIT_DEADLINE_MILLISECONDS);
    if (ready <= 0) throw new MountError(`Cannot begin the session of "${this.mountpoint}": the kernel sent no INIT`);
    const buffer = new Uint8Array(INIT_BUFFER);
    const length = symbols.read(this.device, buffer, buffer.length);
    if (length < 0) {
      // EPERM is a device with which nobody has mounted (fuse_dev_do_read in fs/fuse/dev.c).
      throw new MountError(`Cannot read INIT of "${this.mountpoint}": ${errnoName(errno[0]!)}; has it been mounted?`);
    }
    const request = buffer.slice(0, length);
    return this.#init = { request, offer: decodeInit(request) };
  }

  /** Another descriptor of the same connection, with a queue of its own for requests being answered. */
  clone(): number {
    const clone = this.attach();
    this.#clones.push(clone);
    return clone;
  }

  /** As `clone`, but whoever asks closes it. */
  attach(): number {
    return attachTo(this.device, this.mountpoint);
  }

  /**
   * Has the kernel send again what was read and never answered, on whichever descriptor. Nobody may be serving: what is
   * being served would be served twice. False when the kernel cannot (Linux 6.9 brought it).
   */
  resend(): boolean {
    const message = encodeNotification({ kind: "resend" });
    return this.#libc.symbols.write(this.device, message, message.length) >= 0;
  }

  /** Whether requests wait to be read. */
  hasPending(): boolean {
    return (this.#events(POLLIN) & POLLIN) !== 0;
  }

  /** Whether the kernel has no use for the connection any more (fuse_dev_poll answers POLLERR). */
  hasEnded(): boolean {
    return (this.#events(0) & POLLERR) !== 0;
  }

  #events(wanted: number): number {
    const events = new Int16Array(4);
    new Int32Array(events.buffer)[0] = this.device;
    events[2] = wanted;
    return this.#libc.symbols.poll(new Uint8Array(events.buffer), 1, 0) > 0 ? events[3]! : 0;
  }

  /**
   * Unmounts, lazily: what is in use lives until it is closed or the connection is disposed of.
   *
   * @throws {UnmountError} when the mount is still there afterwards.
   */
  unmount(): Promise<void> {
    // One call for all who ask, and all wait for it: libfuse's session must not be destroyed under it.
    return this.#unmounting ??= this.#unmount();
  }

  async #unmount(): Promise<void> {
    await openLibfuse().symbols.fuse_session_unmount(this.#session);
    // libfuse leaves alone what was aborted (fuse_kern_unmount in lib/mount.c).
    if (await this.isMounted()) await unmountLazily(this.mountpoint);
    if (await this.isMounted()) {
      throw new UnmountError(`Cannot unmount "${this.mountpoint}": libfuse did not take it away; its words are above`);
    }
  }

  /** Whether the mount is still in its place: neither unmounted nor below another. */
  async isMounted(): Promise<boolean> {
    const mount = await findMount(this.mountpoint);
    return mount !== undefined && mount.device === this.mountedDevice;
  }

  /** Closes the device. The kernel ends the connection when its last descriptor is closed. */
  [Symbol.dispose](): void {
    const { symbols } = this.#libc;
    for (const clone of this.#clones) symbols.close(clone);
    this.#clones.length = 0;
    symbols.close(this.device);
    openLibfuse().symbols.fuse_session_destroy(this.#session);
  }
}

/**
 * Another descriptor of the connection that `device` belongs to; whoever asks closes it.
 *
 * @throws {MountError} when the kernel refuses.
 */
export function attachTo(device: number, mountpoint: string): number {
  const { symbols, errno } = openLibc();
  const clone = symbols.open(cString("/dev/fuse"), O_RDWR | O_CLOEXEC | O_NONBLOCK, 0);
  const source = new Uint8Array(new Int32Array([device]).buffer);
  if (clone < 0 || symbols.ioctl(clone, FUSE_DEV_IOC_CLONE, source) < 0) {
    const reason = errnoName(errno[0]!);
    if (clone >= 0) symbols.close(clone);
    throw new MountError(`Cannot attach another loop to "${mountpoint}": ${reason}`);
  }
  return clone;
}

/** A libfuse session without callbacks: it mounts, and never sees a request. */
function newSession(mountpoint: string, options: readonly string[]): Deno.PointerObject {
  const { symbols } = openLibfuse();
  const words = ["trellis", ...options.flatMap((option) => ["-o", option])].map(cString);
  const argv = new BigUint64Array([...words.map(addressOf), 0n]);
  // struct fuse_args { int argc; char **argv; int allocated; }
  const args = new DataView(new ArrayBuffer(24));
  args.setInt32(0, words.length, true);
  args.setBigUint64(8, addressOf(argv), true);
  // fuse_lowlevel_ops of 3.10: 44 pointers, all null. libfuse copies what it is told is there.
  const operations = new Uint8Array(44 * 8);
  const { result, text } = captureStandardError(() =>
    symbols.fuse_session_new(new Uint8Array(args.buffer), operations, BigInt(operations.length), null)
  );
  if (result === null) throw new MountError(`Cannot mount on "${mountpoint}": libfuse refuses the options: ${text}`);
  // fuse_session_new has copied the arguments; until here they had to stay where they are.
  words.length = 0;
  return result;
}
