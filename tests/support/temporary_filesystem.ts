/** A tmpfs of a test's own: it can be unmounted when nobody, the kernel's backing ids included, holds a file of it. */
import { statfs } from "node:fs/promises";
import { assertEquals } from "../deps.ts";
import { run, temporaryFolder } from "./cli_process.ts";

export interface TemporaryFilesystem extends AsyncDisposable {
  readonly path: string;
  /** Unmounts it, and says whether that could be. */
  isFree(): Promise<boolean>;
  /** How many files there are, with those that have no name and that somebody holds. */
  countFiles(): Promise<number>;
}

/** Needs root. */
export async function mountTmpfs(): Promise<TemporaryFilesystem> {
  const folder = await temporaryFolder();
  const path = `${folder.path}/tmpfs`;
  await Deno.mkdir(path);
  assertEquals(await run("mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", path), 0);
  let mounted = true;
  return {
    path,
    async isFree() {
      if (mounted) mounted = await run("umount", path) !== 0;
      return !mounted;
    },
    async countFiles() {
      const { files, ffree } = await statfs(path);
      return files - ffree;
    },
    async [Symbol.asyncDispose]() {
      if (mounted) await run("umount", "-l", path);
      await folder[Symbol.asyncDispose]();
    },
  };
}
