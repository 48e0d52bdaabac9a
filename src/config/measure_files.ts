/** How large the files of directories are, as a branch's size limit counts them. */
import { join } from "node:path";

const PAGE = 4096;

/**
 * The pages of 4 KiB that the files below `directories` take by their lengths. A path counts once, in the first directory
 * that has it, as a union shows it; a file with several names counts once. What may not be read does not count.
 */
export async function measureFiles(directories: readonly string[]): Promise<number> {
  const seen = new Set<string>();
  let pages = 0;
  const add = async (directory: string, path: string): Promise<void> => {
    for (const { name, isDirectory } of await readDirectory(join(directory, path))) {
      const inner = join(path, name);
      if (isDirectory) await add(directory, inner);
      else if (!seen.has(inner)) {
        seen.add(inner);
        pages += await measureFile(join(directory, inner), seen);
      }
    }
  };
  for (const directory of directories) await add(directory, "/");
  return pages;
}

async function measureFile(path: string, seen: Set<string>): Promise<number> {
  const { isFile, size, dev, ino, nlink } = await Deno.lstat(path);
  if (!isFile) return 0;
  const identity = `${dev}:${ino}`;
  if (nlink !== null && nlink > 1 && seen.has(identity)) return 0;
  seen.add(identity);
  return Math.ceil(size / PAGE);
}

async function readDirectory(path: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(path));
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
