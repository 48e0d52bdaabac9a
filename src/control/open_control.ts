/** Opens the control socket of a mount, without which a mount is worth having too. */
import type { ControlFolder } from "./listen.ts";
import {
  readReloadRequest,
  type ReloadReport,
  type ReloadRequest,
  type ServerReport,
  type StatusReport,
} from "./messages.ts";

/** Which mount it is, and what else there is to say of it. */
export interface ControlledMount {
  readonly mountpoint: string;
  /** As the mount table has it; undefined for one that is not in this process's table. */
  readonly mountedDevice: string | undefined;
  describe(): Description | Promise<Description>;
  /** Where a keeper holds the mount. */
  restart?(): Promise<ServerReport>;
  /** Where a configuration describes the tree. */
  reload?(request: ReloadRequest): Promise<ReloadReport>;
  /** Why no keeper holds the mount, where somebody has said so. */
  readonly noKeeper?: string;
}

type Description = Omit<StatusReport, "mountpoint" | "pid" | "uptimeSeconds">;

/** Loaded only where it is used: it brings in Node's sockets, which a mount without it need not wait for. */
function loadListen() {
  return import("./listen.ts");
}

/** Begins to load what `openControl` needs. */
export function preloadControl(): void {
  // Who opens hears what fails.
  loadListen().catch(() => {});
}

/** What `openControl` needs and can be had before there is a mount. */
export async function prepareControl(): Promise<ControlFolder> {
  const { ControlFolder } = await loadListen();
  return await ControlFolder.prepare();
}

/** What a mount's control socket can be told. */
export interface OpenControl {
  /** The mount was made anew, as another device of the mount table. What fails is a log line. */
  moveTo(mountedDevice: string | undefined): Promise<void>;
}

/** Answers on the mount's control socket for as long as `resources` live. What fails is a log line. */
export async function openControl(
  { mountpoint, mountedDevice, describe, restart, reload, noKeeper }: ControlledMount,
  log: (message: string, detail: string) => void,
  resources: AsyncDisposableStack,
  prepared: Promise<ControlFolder> = prepareControl(),
): Promise<OpenControl> {
  const begun = performance.now();
  const uptimeSeconds = () => (performance.now() - begun) / 1000;
  const facts = { mountpoint, pid: Deno.pid, ...noKeeper !== undefined && { noKeeper } };
  const status = async () => ({ ...facts, uptimeSeconds: uptimeSeconds(), ...await describe() });
  const fail = (error: unknown) =>
    log(`There is no control socket for ${mountpoint}, so "status" will not know it`, String(error));
  try {
    const folder = await prepared;
    const commands = {
      status,
      ...restart && { restart },
      ...reload && { reload: (given: unknown) => reload(readReloadRequest(given)) },
    };
    const server = resources.use(await folder.listen(mountpoint, mountedDevice, commands, fail));
    return { moveTo: (device) => folder.move(server, mountpoint, device).catch(fail) };
  } catch (error) {
    fail(error);
    return { moveTo: () => Promise.resolve() };
  }
}
