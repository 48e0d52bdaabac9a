/** Which features of the kernel a tree asks for, when its branches ask for different ones. */
import type { FileSystem, RequestContext } from "../../fs/filesystem.ts";
import type { AllMethods } from "./missing_methods.ts";

/** Features that one branch may ask for, because {@linkcode adaptMethods} makes up for what the others do not know of. */
export const ADAPTED: readonly string[] = ["dont-mask", "posix-acl"];

/**
 * Features that one branch may ask for. With `posix-acl` the kernel checks permissions for all.
 *
 * All others hold only when every branch asks for them: with `handle-killpriv-v2`, `writeback-cache`, `cache-symlinks` or
 * `explicit-inval-data` the kernel leaves something to the filesystem that others would not do.
 */
const HARMLESS: ReadonlySet<string> = new Set([...ADAPTED, "direct-io-allow-mmap", "passthrough"]);

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

/** A branch's operations under features in force that it did not ask for. */
export function adaptMethods(methods: AllMethods, unknown: ReadonlySet<string>): AllMethods {
  const masked = unknown.has("dont-mask") ? maskModes(methods) : methods;
  return unknown.has("posix-acl") ? withoutAcls(masked) : masked;
}

/** The kernel leaves the umask to the filesystem (`dont-mask`), which does not know of that. */
function maskModes(methods: AllMethods): AllMethods {
  const masked = (mode: number, { umask }: RequestContext) => mode & ~umask;
  return {
    ...methods,
    makeNode: (parent, name, mode, device, context) =>
      methods.makeNode(parent, name, masked(mode, context), device, context),
    makeDirectory: (parent, name, mode, context) => methods.makeDirectory(parent, name, masked(mode, context), context),
    create: (parent, name, mode, flags, context) => methods.create(parent, name, masked(mode, context), flags, context),
    makeTemporaryFile: (parent, mode, flags, context) =>
      methods.makeTemporaryFile(parent, masked(mode, context), flags, context),
  };
}

/** The kernel asks every file for its ACLs (`posix-acl`) and takes `EOPNOTSUPP` for a failure (fs/fuse/acl.c). */
function withoutAcls(methods: AllMethods): AllMethods {
  return {
    ...methods,
    getExtendedAttribute: (node, name, context) =>
      name.startsWith("system.posix_acl_") ? undefined : methods.getExtendedAttribute(node, name, context),
  };
}
