/** The rules of rename(2) and renameat2(2). */
import { now } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { Name } from "../../fs/filesystem.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from "../../fs/flags.ts";
import { DirectoryNode } from "./directory.ts";
import type { Node } from "./node.ts";

/** A name in a directory. */
export interface Place {
  directory: DirectoryNode;
  name: Name;
}

const FLAGS = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;

/** Moves what `from` names to `to`. `makeWhiteout` makes what `RENAME_WHITEOUT` leaves behind. */
export function rename(from: Place, to: Place, flags: number, makeWhiteout: () => Node): void {
  checkFlags(flags);
  const source = from.directory.require(from.name);
  const target = to.directory.child(to.name)?.node;
  if (flags & RENAME_EXCHANGE) return exchange(from, to, source, to.directory.require(to.name));
  if (target && flags & RENAME_NOREPLACE) throw new FsError("EEXIST", `Cannot rename to "${to.name}": it exists`);
  // Two names of one file: nothing is done, and both stay (POSIX).
  if (target === source) return;
  checkMove(source, to);
  if (target) checkReplace(source, target, to.name);
  move(from, to, source, target, flags & RENAME_WHITEOUT ? makeWhiteout() : undefined);
}

function checkFlags(flags: number): void {
  const contradiction = flags & RENAME_EXCHANGE && flags !== RENAME_EXCHANGE;
  if (flags & ~FLAGS || contradiction) throw new FsError("EINVAL", `Cannot rename with flags ${flags}`);
}

function checkMove(source: Node, to: Place): void {
  if (to.directory.links === 0) throw new FsError("ENOENT", `Cannot rename to "${to.name}": its directory is gone`);
  if (source instanceof DirectoryNode && to.directory.isWithin(source)) {
    throw new FsError("EINVAL", `Cannot move directory ${source.inode} into itself, as "${to.name}"`);
  }
}

function checkReplace(source: Node, target: Node, name: Name): void {
  const directory = source instanceof DirectoryNode;
  if (!(target instanceof DirectoryNode)) {
    if (directory) throw new FsError("ENOTDIR", `Cannot rename a directory to "${name}": that is not a directory`);
  } else if (!directory) {
    throw new FsError("EISDIR", `Cannot rename a file to "${name}": that is a directory`);
  } else if (!target.empty) {
    throw new FsError("ENOTEMPTY", `Cannot replace directory "${name}": it is not empty`);
  }
}

function move(from: Place, to: Place, source: Node, target: Node | undefined, whiteout: Node | undefined): void {
  if (whiteout) from.directory.replace(from.name, whiteout);
  else from.directory.detach(from.name);
  if (target) to.directory.replace(to.name, source);
  else to.directory.attach(to.name, source);
  if (target instanceof DirectoryNode) target.retire();
  stamp(from, to, source, target);
}

function exchange(from: Place, to: Place, source: Node, target: Node): void {
  if (source === target) return;
  checkMove(source, to);
  checkMove(target, from);
  from.directory.replace(from.name, target);
  to.directory.replace(to.name, source);
  stamp(from, to, source, target);
}

function stamp(from: Place, to: Place, source: Node, target: Node | undefined): void {
  const time = now();
  from.directory.modified(time);
  to.directory.modified(time);
  source.ctime = time;
  if (target) target.ctime = time;
}
