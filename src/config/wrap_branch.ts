/** What a configuration puts around a branch's filesystem. */
import type { FileSystem } from "../fs/filesystem.ts";
import { hideNames, limitSize, mapOwners, type OwnerMap, readOnly, type SizeLimit } from "../layers/wrappers/mod.ts";
import type { Ownership, Wrappers } from "./config.ts";

/**
 * The filesystem with its wrappers, the size limit innermost: it counts what is stored, under the names and owners that it
 * is stored with. `counting` is where the limit counts.
 */
export function wrapBranch(
  filesystem: FileSystem,
  wrappers: Wrappers,
  counting: Omit<SizeLimit, "size" | "used">,
): FileSystem {
  const { maxSize, hidden, ownership, readOnly: isReadOnly } = wrappers;
  let wrapped = filesystem;
  if (maxSize !== undefined) wrapped = limitSize(wrapped, { size: maxSize, ...counting });
  if (hidden.length > 0) wrapped = hideNames(wrapped, hidden);
  if (Object.keys(ownership).length > 0) wrapped = mapOwners(wrapped, ownerMap(ownership));
  return isReadOnly ? readOnly(wrapped) : wrapped;
}

function ownerMap({ uid, gid, ...modes }: Ownership): OwnerMap {
  return {
    ...uid === undefined ? {} : { uid: { shown: uid } },
    ...gid === undefined ? {} : { gid: { shown: gid } },
    ...modes,
  };
}
