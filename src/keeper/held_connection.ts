/**
 * One connection as the keeper holds it: a descriptor for each reader, what the kernel offers, and what servers leave to each
 * other. Where the kernel cannot send requests again, each server has a connection of its own.
 */
import { Connection } from "../connection/connection.ts";
import { type Feature, wantedFeatures } from "../connection/features.ts";
import type { Agreement, KernelOffer } from "../connection/handshake.ts";
import type { KeptDescriptors } from "../fs/module.ts";
import { closeKeptState, createKeptState, type KeptHandles } from "../kept/kept_state.ts";
import { KeptOpenNodes } from "./kept_open_nodes.ts";

/** What is mounted where. */
export interface HeldMount {
  /** An absolute path that may be mounted on. */
  readonly mountpoint: string;
  /** The mount's options, as `Connection.mount` takes them. */
  readonly mountOptions: readonly string[];
  /** How many threads of a server read the device. */
  readonly readers: number;
  /** Whether the kernel is asked to send requests again, where it can. */
  readonly resend: boolean;
}

const RESEND: Feature = "has-resend";

export class HeldConnection implements Disposable {
  readonly connection: Connection;
  /** One for each reader: requests end with the descriptor that they were read from. */
  readonly devices: readonly number[];
  readonly kept: KeptHandles;
  readonly offer: KernelOffer;
  /** Whether another server can go on with this connection. */
  readonly canResend: boolean;
  #agreement: Agreement | undefined;
  /** Once a server has died, where the kernel passes through. */
  #openNodes: KeptOpenNodes | undefined;
  #disposed = false;

  private constructor(connection: Connection, { readers, resend }: HeldMount, kept: KeptHandles) {
    this.connection = connection;
    this.kept = kept;
    this.offer = connection.readOffer();
    this.canResend = resend && this.offer.features.has(RESEND);
    this.devices = [connection.device, ...Array.from({ length: readers - 1 }, () => connection.clone())];
  }

  /** Mounts. The table of open files, `store`, is closed with it, or when it fails. @throws {MountError} */
  static async mount(mount: HeldMount, store: KeptDescriptors | undefined): Promise<HeldConnection> {
    const kept = createKeptState(store);
    let connection: Connection | undefined;
    try {
      connection = Connection.mount(mount.mountpoint, mount.mountOptions);
      return new HeldConnection(connection, mount, kept);
    } catch (error) {
      closeKeptState(kept);
      await connection?.unmount().finally(() => connection![Symbol.dispose]());
      throw error;
    }
  }

  /** What was agreed with the kernel; undefined before the first server. */
  get agreement(): Agreement | undefined {
    return this.#agreement;
  }

  /** Agrees with the kernel, once, on what a filesystem with these methods and features, and this longest write, needs. */
  agree(methods: readonly string[], features: readonly Feature[], maxWrite?: number): Agreement {
    if (this.#agreement !== undefined) return this.#agreement;
    const wanted = wantedFeatures(new Set(methods), features);
    if (!this.canResend) wanted.delete(RESEND);
    return this.#agreement = this.connection.handshake(wanted, maxWrite).agreement;
  }

  /** Settles what a server that has ended was in the midst of with open files; `interrupted` by loop. */
  settle(interrupted: readonly (number | null)[]): void {
    if (!this.#agreement?.features.has("passthrough")) return;
    this.#openNodes ??= new KeptOpenNodes(this.kept.openNodes, this.connection.device);
    this.#openNodes.settle(interrupted);
  }

  /**
   * Has the kernel send again what was read and not answered; nobody may be serving. False when that cannot be. Before the
   * handshake there is nothing to send.
   */
  resend(): boolean {
    return this.#agreement === undefined || (this.canResend && this.connection.resend());
  }

  /** Ends the connection, which must not be mounted any more: who waits for an answer gets an error. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.connection[Symbol.dispose]();
    closeKeptState(this.kept);
  }
}
