/** Copying attributes field by field: a filesystem's own object may be more than that, and it is used again. */
import type { Attributes } from "../../fs/attributes.ts";

/** To be filled in. Who reads attributes and entries takes an undefined field for a missing one. */
export type Unfilled<T> = { [key in keyof T]?: T[key] | undefined };

/** Fills `target` with all fields of `attributes` and returns it. */
export function copyAttributes(attributes: Attributes, target: Unfilled<Attributes>): Attributes {
  target.mode = attributes.mode;
  target.inode = attributes.inode;
  target.size = attributes.size;
  target.blocks = attributes.blocks;
  target.blockSize = attributes.blockSize;
  target.links = attributes.links;
  target.uid = attributes.uid;
  target.gid = attributes.gid;
  target.device = attributes.device;
  target.atime = attributes.atime;
  target.mtime = attributes.mtime;
  target.ctime = attributes.ctime;
  target.timeout = attributes.timeout;
  return target as Attributes;
}
