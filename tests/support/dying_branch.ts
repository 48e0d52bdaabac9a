/** An empty branch whose first servers die when they are to make it. */
import type { FileSystem } from "../../src/fs/filesystem.ts";

export interface DyingOptions {
  readonly folder: string;
  /** How many servers die. */
  readonly deaths: number;
}

export function prepare({ folder, deaths }: DyingOptions): void {
  const died = [...Deno.readDirSync(folder)].filter(({ name }) => name.startsWith(`died-${deaths}-`)).length;
  if (died >= deaths) return;
  Deno.writeTextFileSync(`${folder}/died-${deaths}-${died}`, "");
  Deno.kill(Deno.pid, "SIGKILL");
}

export default function makeFileSystem(): FileSystem {
  // As passthrough has them, beside which it is.
  const features = ["posix-acl", "dont-mask", "handle-killpriv-v2"];
  return { features, getAttributes: () => ({ mode: 0o40755 }) };
}
