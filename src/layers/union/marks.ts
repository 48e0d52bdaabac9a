/**
 * What a union writes on a branch to hide what is below it: the marks of overlayfs (Documentation/filesystems/overlayfs.rst),
 * so that its branches can be mounted with the kernel's overlayfs (option `userxattr`), and the reverse.
 *
 * A whiteout, a character device 0/0, hides a name. An opaque directory, one with the attribute `user.overlay.opaque`,
 * hides the directories of its name.
 */
import type { Attributes } from "../../fs/attributes.ts";
import type { NodeId, RequestContext } from "../../fs/filesystem.ts";
import { S_IFCHR, S_IFMT } from "../../fs/flags.ts";
import type { Member } from "./member.ts";
import { type Steps, wait } from "./steps.ts";

/** Names of ours that a user of the union does not see. */
const PREFIXES = ["user.overlay.", "trusted.overlay."];

const OPAQUE = "user.overlay.opaque";
const OPAQUE_BY_ROOT = "trusted.overlay.opaque";
const YES = new TextEncoder().encode("y");

/** Files in the making; a crash may leave one behind, and nobody sees it. */
const IN_THE_MAKING = ".trellis-union-";

let made = 0;

/** A name for a file that is renamed when it is complete; `mark` is the same when another server goes on with it. */
export function temporaryName(mark = `${crypto.randomUUID()}-${++made}`): string {
  return `${IN_THE_MAKING}${mark}`;
}

/** Whether the name is for the union itself. */
export function isReservedName(name: string): boolean {
  return name.startsWith(IN_THE_MAKING);
}

export function isReservedAttribute(name: string): boolean {
  return PREFIXES.some((prefix) => name.startsWith(prefix));
}

export function isWhiteout({ mode, device = 0 }: Attributes): boolean {
  return (mode & S_IFMT) === S_IFCHR && device === 0;
}

export function* makeWhiteout(member: Member, parent: NodeId, name: string, context: RequestContext): Steps<void> {
  const { node } = yield* wait(member.makeNode(parent, name, S_IFCHR, 0, context));
  member.forget(node);
}

export function* isOpaque({ filesystem }: Member, directory: NodeId, context: RequestContext): Steps<boolean> {
  for (const name of [OPAQUE, OPAQUE_BY_ROOT]) {
    const value = yield* wait(filesystem.getExtendedAttribute?.(directory, name, context));
    if (value?.length === 1 && value[0] === YES[0]) return true;
  }
  return false;
}

export function* makeOpaque(member: Member, directory: NodeId, context: RequestContext): Steps<void> {
  yield* wait(member.need("setExtendedAttribute")(directory, OPAQUE, YES, 0, context));
}
