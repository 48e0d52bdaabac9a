/** A filesystem mounted on a new temporary directory for the length of a test. */
import { mount, type MountOptions } from "../../src/mount.ts";
import type { Session } from "../../src/session.ts";
import { PATIENCE } from "./patience.ts";

export interface Mounted extends AsyncDisposable {
  readonly path: string;
  readonly session: Session;
}

/** Mounts like `mount`; disposing unmounts and removes the directory. */
export async function mountTemporarily(
  filesystem: Parameters<typeof mount>[0],
  options: MountOptions = {},
): Promise<Mounted> {
  const path = await Deno.makeTempDir({ prefix: "trellis-test-" });
  const session = await mount(filesystem, path, options);
  return {
    path,
    session,
    async [Symbol.asyncDispose]() {
      await session.unmount();
      await Deno.remove(path);
    },
  };
}

/** Resolves when `condition` holds. @throws after {@linkcode PATIENCE}, with what was waited for. */
export async function waitFor(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE * 1000;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`Waited ${PATIENCE} s in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
