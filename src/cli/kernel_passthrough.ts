/** Whether the kernel reads and writes the files of a mount's source by itself here, and why not. */
import type { BackingOutcome } from "../connection/probe.ts";
import { ERRNO, errnoName } from "../fs/errors.ts";
import { isLocal, localFilesystems } from "../layers/passthrough/local_filesystems.ts";
import { Failure } from "./failure.ts";

/** What doctor says of it. */
export interface KernelPassthroughFindings {
  /** Whether a mount of this user's can use it; with a source, whether a mount of that source can. */
  readonly usable: boolean;
  /** Why not; undefined when it is usable. */
  readonly reason: string | undefined;
  /** The directory that was asked about. */
  readonly source: string | undefined;
}

const { EPERM } = ERRNO;

/** Judges by what the kernel answered (`undefined`: it does not offer it) and by the filesystem of `source`. */
export async function examineKernelPassthrough(
  backing: BackingOutcome,
  source?: string,
): Promise<KernelPassthroughFindings> {
  const reason = explain(backing) ?? (source === undefined ? undefined : await explainSource(source));
  return { usable: reason === undefined, reason, source };
}

function explain(backing: BackingOutcome): string | undefined {
  if (backing === undefined) {
    return "this kernel's FUSE does not offer it (Linux 6.9 or newer, built with CONFIG_FUSE_PASSTHROUGH)";
  }
  if (backing === 0) return undefined;
  if (backing === EPERM) {
    return `the kernel wants CAP_SYS_ADMIN in the first user namespace, which user ${Deno.uid()} does not have here: ` +
      "mount as root, outside of user namespaces";
  }
  return `the kernel refuses backing files here (${errnoName(backing) ?? backing})`;
}

async function explainSource(source: string): Promise<string | undefined> {
  const { statfs } = await import("node:fs/promises");
  const { type } = await statfs(source).catch((error) => {
    throw new Failure("SOURCE", `Cannot look at ${source}: ${error.code}`, { cause: error });
  });
  if (isLocal(type)) return undefined;
  return `the filesystem of ${source} (type 0x${(type >>> 0).toString(16)}) is none of ${
    localFilesystems().join(", ")
  }`;
}
