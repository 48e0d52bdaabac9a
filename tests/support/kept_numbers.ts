/** The filesystem of tests/mount/kept_module.ts shown by servers that end, on a new temporary directory. */
import { type KeptMount, mount } from "../../src/mount.ts";
import type { KeptOptions } from "../mount/kept_module.ts";
import { waitFor } from "./mounted.ts";

export const NUMBERS = new URL("../mount/kept_module.ts", import.meta.url);

export interface KeptNumbers extends AsyncDisposable {
  readonly path: string;
  /** The module's folder. */
  readonly folder: string;
  readonly keeper: KeptMount;
  readonly log: string[];
}

/** What is unlike usual. */
export interface NumbersOptions extends Partial<KeptOptions> {
  readonly hangTimeout?: number;
  readonly placement?: "loop" | "handler";
  /** Or workers. */
  readonly loops?: number;
  readonly restarts?: number;
  readonly spare?: boolean;
}

export async function keepNumbers(
  { placement = "loop", loops = 1, restarts = 3, hangTimeout = 60, spare = false, ...options }: NumbersOptions = {},
): Promise<KeptNumbers> {
  const [path, folder] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  const log: string[] = [];
  const served = { module: NUMBERS, options: { folder, ...options } };
  const placed = placement === "loop" ? { ...served, loops } : { ...served, placement, workers: loops };
  const keeper = await mount(placed, path, {
    process: "separate",
    restarts,
    hangTimeout,
    spare,
    log: (message, detail) => log.push(message, detail),
  });
  return {
    ...{ path, folder, keeper, log },
    async [Symbol.asyncDispose]() {
      await keeper.unmount().catch(() => {});
      await Deno.remove(path);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Kills the server, and waits until another serves. */
export async function killServer({ keeper }: KeptNumbers): Promise<void> {
  const { pid, restarts } = keeper.server;
  Deno.kill(pid, "SIGKILL");
  await waitFor("another server", () => keeper.server.restarts > restarts);
}

/** What is in a file, read by another process. */
export async function read(path: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("cat", { args: [path], stderr: "piped" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
