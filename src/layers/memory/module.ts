/** The memory filesystem as a module that a session loop loads (placement "loop"). */
import type { FileSystemModule } from "../../fs/module.ts";
import { MemoryFileSystem } from "./mod.ts";
import type { MemoryOptions } from "./mod.ts";

/** Makes the filesystem of the one loop that can serve it. */
const makeFileSystem: FileSystemModule<MemoryOptions | undefined>["default"] = (options, { loops, restarts = 0 }) => {
  if (loops !== 1) {
    throw new RangeError(
      `Cannot serve a memory filesystem from ${loops} loops: its files live in one; mount it with 1`,
    );
  }
  // Where a keeper holds the mount: what was here is gone with the server, and so its node ids must be.
  return new MemoryFileSystem({ ...options, restarts });
};

export default makeFileSystem;
