/**
 * A server's process as it begins. The first one can be begun before anybody knows what it is to serve, or that there is
 * to be one: it loads its code meanwhile, and is told later, over its input and a socket that open files come over. Only
 * the table of open files has to be there before it, for the kernel passes no io_uring over sockets (`scm_fp_copy`, Linux
 * 6.7): that the process inherits, under its number.
 */
import { openLibc } from "../../ffi/library.ts";
import type { KeptDescriptors } from "../fs/module.ts";
import { createDescriptorStore } from "../kept/descriptor_store.ts";
import { killProcess, startProcess } from "./deno_process.ts";
import { inheriting, makeSocketPair } from "./passed_descriptors.ts";

const SERVER = new URL("../workers/begin_server.ts", import.meta.url);

/** One that has begun, and waits. Whoever has it ends the process and closes the socket. */
export interface BegunServer {
  readonly child: Deno.ChildProcess;
  /** Its descriptors go in here. */
  readonly socket: number;
}

/** The first server of a connection. Whoever has it closes the table's ring. */
export interface FirstServer {
  readonly server: BegunServer;
  /** Undefined where the kernel keeps no open files. */
  readonly store: KeptDescriptors | undefined;
}

let begun: FirstServer | undefined;

/** Begins a first server, which waits until somebody takes it. It ends with this process. */
export function beginServer(): void {
  begun ??= beginFirst();
}

/** The first server that was begun, or another. */
export function takeServer(): FirstServer {
  const taken = begun ?? beginFirst();
  begun = undefined;
  return taken;
}

/** Ends a server that was begun and not taken. */
export function dropServer(): void {
  if (begun === undefined) return;
  const { server: { child, socket }, store } = begun;
  begun = undefined;
  killProcess(child);
  void child.stdin.abort().catch(() => {});
  void child.stdout.cancel().catch(() => {});
  for (const descriptor of store === undefined ? [socket] : [socket, store.ring]) {
    openLibc().symbols.close(descriptor);
  }
}

/** Whether the kernel keeps open files, as far as a server that was begun knows. */
export function hasBegunStore(): boolean {
  return begun?.store !== undefined;
}

function beginFirst(): FirstServer {
  const store = createDescriptorStore();
  return { store, server: startServer(store) };
}

/** Starts a server, which has the table `store`. */
export function startServer(store: KeptDescriptors | undefined): BegunServer {
  const { close } = openLibc().symbols;
  const [socket, theirs] = makeSocketPair();
  const inherited = store === undefined ? [theirs] : [theirs, store.ring];
  try {
    return { child: inheriting(inherited, () => startProcess(SERVER, inherited.map(String))), socket };
  } catch (error) {
    close(socket);
    throw error;
  } finally {
    close(theirs);
  }
}
