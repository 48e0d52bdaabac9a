/** Whether this user can open /dev/fuse, which mounting begins with. */

/** What is known of the device. */
export interface FuseDevice {
  readonly path: string;
  readonly present: boolean;
  /** The permissions in octal, as in `"666"`; undefined when there is no device. */
  readonly mode: string | undefined;
  /** Why it cannot be used and what to do about it; undefined when it can. */
  readonly problem: string | undefined;
}

const PATH = "/dev/fuse";

/** Looks at the device and tries to open it. Opening alone has no effect. */
export async function inspectFuseDevice(): Promise<FuseDevice> {
  const mode = await permissions();
  return { path: PATH, present: mode !== undefined, mode, problem: await findProblem(mode) };
}

async function permissions(): Promise<string | undefined> {
  try {
    const { mode } = await Deno.stat(PATH);
    return ((mode ?? 0) & 0o7777).toString(8);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function findProblem(mode: string | undefined): Promise<string | undefined> {
  const inContainer = "in a container, give it the device (docker run --device /dev/fuse --cap-add SYS_ADMIN)";
  if (mode === undefined) return `there is no ${PATH}: load the kernel module (as root: modprobe fuse); ${inContainer}`;
  try {
    using _device = await Deno.open(PATH, { read: true, write: true });
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) {
      return `user ${Deno.uid()} may not open ${PATH} (its mode is ${mode}): as root, chmod 666 ${PATH}; ${inContainer}`;
    }
    return `${PATH} does not open (${error instanceof Error ? error.message : error}): ` +
      `load the kernel module (as root: modprobe fuse); ${inContainer}`;
  }
}
