/** The conformance suite on directories of this machine: what it asks for must hold on filesystems known to be right. */

import { conformance } from "./conformance/mod.ts";

/** A directory open to all, removed again at the end. */
async function makeOpenDirectory(parent?: string): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "trellis-conformance-", ...(parent && { dir: parent }) });
  await Deno.chmod(path, 0o777);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const root = Deno.uid() === 0;
const places = { "the temporary directory": undefined, "/dev/shm": "/dev/shm" };

for (const [place, parent] of Object.entries(places)) {
  Deno.test({
    name: `the suite holds on ${place} as an ordinary user`,
    fn: async (t) => {
      await using directory = await makeOpenDirectory(parent);
      await conformance(t, directory.path, { root: false });
    },
  });
  Deno.test({
    name: `the suite holds on ${place} as root${root ? "" : " (skipped: needs root)"}`,
    ignore: !root,
    fn: async (t) => {
      await using directory = await makeOpenDirectory(parent);
      await conformance(t, directory.path, { root: true });
    },
  });
}
