/** A temporary directory, shown by the tool through a live mount. */
import { MountProcess, temporaryFolder } from "../support/cli_process.ts";

export interface MountedSource extends AsyncDisposable {
  /** The directory with all that belongs to the test; the source and the mountpoint are in it. */
  readonly folder: string;
  /** A path in the source. */
  source(name: string): string;
  /** The same through the mount. */
  shown(name: string): string;
  readonly mount: MountProcess;
}

/** Mounts for everybody, served by the process that mounts, with further `options` of the tool's -o, which win; `prepare` is given the source before. */
export async function mountSource(
  options: string,
  prepare: (source: string) => Promise<unknown> = () => Promise.resolve(),
): Promise<MountedSource> {
  await using resources = new AsyncDisposableStack();
  const folder = resources.use(await temporaryFolder()).path;
  const source = `${folder}/source`;
  await Deno.mkdir(source);
  await prepare(source);
  const allOptions = ["process=same", ...(Deno.uid() === 0 ? ["allow_other"] : []), options].join(",");
  const mount = resources.use(await MountProcess.start([source, `${folder}/mnt`], ["-o", allOptions]));
  const owned = resources.move();
  return {
    folder,
    source: (name) => `${source}/${name}`,
    shown: (name) => `${mount.mountpoint}/${name}`,
    mount,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
