/** Loads the module of a filesystem, where it is to be made. */
import type { FileSystemModule } from "./module.ts";

/**
 * The function that makes the filesystem.
 *
 * @throws what loading it throws. @throws {TypeError} for a module that has no such function.
 */
export async function loadModule(module: string): Promise<FileSystemModule["default"]> {
  const { default: make } = await import(module) as Partial<FileSystemModule>;
  if (typeof make === "function") return make;
  throw new TypeError(`Cannot serve ${module}: its default export is not a function that makes a filesystem`);
}
