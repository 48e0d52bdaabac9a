/** The directory that `mount` is given to show. */
import { keepApart, locateSource, SourceError } from "../config/source.ts";
import { deviceDescriptor } from "../connection/mountpoint.ts";
import { Failure } from "./failure.ts";

/**
 * The absolute path, without symbolic links, of a source that can be shown at `mountpoint`, which need not exist.
 *
 * @throws {Failure} when it is missing, no directory or not readable, or when one of the two is in the other: the mount
 * would show itself, or hide what it shows.
 */
export async function prepareSource(path: string, mountpoint: string): Promise<string> {
  if (path === "") throw new Failure("USAGE", "Cannot mount an empty path: name a directory as source");
  try {
    const source = await locateSource(path);
    // Where the kernel's descriptor goes is known only to who mounted it.
    if (deviceDescriptor(mountpoint) === undefined) await keepApart(source, mountpoint);
    return source;
  } catch (error) {
    throw error instanceof SourceError ? new Failure("SOURCE", error.message, { cause: error }) : error;
  }
}
