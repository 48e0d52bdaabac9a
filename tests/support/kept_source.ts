/** A directory shown by servers that end, on a new temporary directory. */
import { openLibc } from "../../ffi/library.ts";
import { createDescriptorStore } from "../../src/kept/descriptor_store.ts";
import { type KeptMount, mount } from "../../src/mount.ts";
import { serversOf } from "./server_killer.ts";

const MODULE = new URL("../../src/layers/passthrough/module.ts", import.meta.url);

/** Kept files' descriptors have numbers from here on, or from half of the limit of open files on. */
const KEPT_BASE = 1 << 16;

/** Why nothing can be kept here; undefined when it can. */
export const NO_STORE: string | undefined = whyNoStore();

function whyNoStore(): string | undefined {
  const store = createDescriptorStore();
  if (store === undefined) return "this kernel keeps no open files (io_uring of Linux 6.8)";
  openLibc().symbols.close(store.ring);
}

/** A test of what is kept, where anything can be. */
export function testKept(
  name: string,
  fn: (t: Deno.TestContext) => void | Promise<void>,
  why: string | undefined = NO_STORE,
): void {
  Deno.test({ name: why === undefined ? name : `${name} (skipped: ${why})`, ignore: why !== undefined, fn });
}

export interface KeptSource extends AsyncDisposable {
  readonly path: string;
  readonly source: string;
  readonly kept: KeptMount;
  readonly log: string[];
}

/** What is unlike usual. */
export interface KeptSourceOptions {
  /** A module that takes the options of the passthrough layer. */
  readonly module?: URL;
  readonly hangTimeout?: number;
  /** A directory of the caller's to show, in place of a temporary one. */
  readonly source?: string;
  /** Of names and attributes, in seconds; default 1. */
  readonly timeout?: number;
}

export async function keepSource(
  { module = MODULE, hangTimeout = 120, source: given, timeout = 1 }: KeptSourceOptions = {},
): Promise<KeptSource> {
  const [path, source] = [await Deno.makeTempDir(), given ?? await Deno.makeTempDir()];
  const log: string[] = [];
  const kept = await mount({ module, options: { source }, loops: 2 }, path, {
    process: "separate",
    restarts: 10_000,
    hangTimeout,
    ...{ defaultPermissions: true, attributesTimeout: timeout, entryTimeout: timeout },
    log: (message, detail) => log.push(`${message} ${detail}`),
  });
  return {
    ...{ path, source, kept, log },
    async [Symbol.asyncDispose]() {
      await kept.unmount();
      await Deno.remove(path);
      if (given === undefined) await Deno.remove(source, { recursive: true });
    },
  };
}

/** How many files the server keeps open; endless while it is not one process, as where one has just ended. */
export function keptFiles({ keeper }: KeptMount): number {
  const [server, ...others] = serversOf(keeper);
  if (server === undefined || others.length > 0) return Infinity;
  try {
    const limit = Number(/^Max open files\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${server}/limits`))![1]);
    const base = Math.min(KEPT_BASE, limit >> 1);
    return [...Deno.readDirSync(`/proc/${server}/fd`)].filter(({ name }) => Number(name) >= base).length;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return Infinity;
    throw error;
  }
}
