/** Which features of the kernel a tree asks for, when its branches ask for different ones. */
import type { FileSystem } from "../../fs/filesystem.ts";

/**
 * Features that do no harm to a branch that did not ask for them. `posix-acl`: a filesystem without ACLs answers so, but
 * the kernel then checks permissions for all. `dont-mask`: the tree applies the umask for those that did not ask.
 *
 * All others hold only when every branch asks for them: with `handle-killpriv-v2`, `writeback-cache`, `cache-symlinks` or
 * `explicit-inval-data` the kernel leaves something to the filesystem that others would not do.
 */
const HARMLESS: ReadonlySet<string> = new Set(["posix-acl", "dont-mask", "direct-io-allow-mmap", "passthrough"]);

/** What to ask for. `growing`: branches may come that ask for nothing. */
export function joinFeatures(filesystems: readonly FileSystem[], growing: boolean): string[] {
  const wishes = filesystems.map(({ features = [] }) => features);
  const all = new Set(wishes.flat());
  return [...all].filter((feature) =>
    HARMLESS.has(feature) || (!growing && wishes.every((wish) => wish.includes(feature)))
  );
}

/** Features in force that `filesystem` did not ask for and cannot live with. */
export function demandingFeatures(filesystem: FileSystem, joined: readonly string[]): string[] {
  return joined.filter((feature) => !HARMLESS.has(feature) && !filesystem.features?.includes(feature));
}
