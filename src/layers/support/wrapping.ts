/** What filesystems that wrap another have in common: they are the other, but for some of its operations. */
import type { FileSystem } from "../../fs/filesystem.ts";
import { boundMethods, type Methods } from "./methods.ts";

/** `filesystem` with the operations that `change` makes of its own; undefined takes one away. */
export function wrapFileSystem(
  filesystem: FileSystem,
  change: (inner: Methods) => { readonly [name in keyof Methods]?: Methods[name] | undefined },
): FileSystem {
  const inner = boundMethods(filesystem);
  const wrapped: Record<string, unknown> = { ...inner };
  for (const [name, method] of Object.entries(change(inner))) {
    if (method === undefined) delete wrapped[name];
    else wrapped[name] = method;
  }
  return {
    ...(filesystem.features && { features: filesystem.features }),
    initialize: (connection) => filesystem.initialize?.(connection),
    destroy: () => filesystem.destroy?.(),
    ...wrapped,
  };
}

/** `method` if the wrapped filesystem has what it stands in for. */
export function onlyWith<Method>(present: unknown, method: Method): Method | undefined {
  return present === undefined ? undefined : method;
}
