/** The modes of fallocate(2). */
import { FsError } from "../../fs/errors.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE } from "../../fs/flags.ts";
import type { Content } from "./content.ts";

/** Allocates, zeroes or frees `length` bytes of `content`. FUSE knows no other modes than these (fs/fuse/file.c). */
export function allocateContent(content: Content, mode: number, offset: number, length: number): void {
  const keepSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
  const operation = mode & ~FALLOC_FL_KEEP_SIZE;
  if (operation === 0) content.reserve(offset, length);
  else if (operation === FALLOC_FL_ZERO_RANGE) content.zero(offset, length);
  else if (operation === FALLOC_FL_PUNCH_HOLE && keepSize) content.punch(offset, length);
  else throw new FsError("EOPNOTSUPP", `Cannot allocate space with mode ${mode}`);
  if (!keepSize && offset + length > content.size) content.resize(offset + length);
}
