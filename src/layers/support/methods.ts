/** A filesystem's operations by name: which it has, and bound, so that each can be handed on alone. */
import type { FileSystem } from "../../fs/filesystem.ts";

/** The operations: all of a filesystem but what begins, changes and ends a mount. */
export type MethodName = Exclude<keyof FileSystem, "features" | "branches" | "initialize" | "destroy">;

/** Some of a filesystem's operations, without the object. */
export type Methods = Pick<FileSystem, MethodName>;

const NAMES: Readonly<Record<MethodName, true>> = {
  lookup: true,
  forget: true,
  forgetLookups: true,
  getAttributes: true,
  setAttributes: true,
  readLink: true,
  makeNode: true,
  makeDirectory: true,
  makeSymbolicLink: true,
  unlink: true,
  removeDirectory: true,
  rename: true,
  link: true,
  open: true,
  create: true,
  makeTemporaryFile: true,
  read: true,
  write: true,
  flush: true,
  release: true,
  synchronize: true,
  openDirectory: true,
  readDirectory: true,
  readDirectoryPlus: true,
  releaseDirectory: true,
  synchronizeDirectory: true,
  getStatistics: true,
  setExtendedAttribute: true,
  getExtendedAttribute: true,
  listExtendedAttributes: true,
  removeExtendedAttribute: true,
  access: true,
  getLock: true,
  setLock: true,
  setWholeFileLock: true,
  mapBlock: true,
  ioctl: true,
  poll: true,
  allocate: true,
  copyFileRange: true,
  seek: true,
  getExtendedStatus: true,
  synchronizeFileSystem: true,
};

export const METHOD_NAMES: readonly MethodName[] = Object.keys(NAMES) as MethodName[];

/** The operations that `filesystem` has, inherited ones too, bound to it. */
export function boundMethods(filesystem: FileSystem): Methods {
  const bound: Record<string, unknown> = {};
  for (const name of METHOD_NAMES) {
    const method = filesystem[name];
    if (method !== undefined) bound[name] = method.bind(filesystem);
  }
  return bound as Methods;
}
