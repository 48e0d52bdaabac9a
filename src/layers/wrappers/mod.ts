/** Filesystems made of another: the same files, but not all that can be done with them. All answer as the wrapped one does. */
export { hideNames } from "./hidden_names.ts";
export { type IdMap, type IdRange, mapOwners, type OwnerMap } from "./owner_map.ts";
export { readOnly } from "./read_only.ts";
export {
  makeSizeUsage,
  SIZE_USAGE_BYTES,
  type SizeChange,
  sizeChangeOf,
  sizeChangesBytes,
  type SizeUsage,
} from "./page_count.ts";
export { limitSize, type SizeLimit } from "./size_limit.ts";
