/** Opens the control socket of a mount that this process serves. */
import { ControlError } from "./messages.ts";
import { type CommandTable, ControlServer } from "./server.ts";
import { connectionNumber, makeRuntimeFolder, removeDeadSockets, socketName } from "./socket_files.ts";

/**
 * Listens for commands about the mount at `mountpoint`, `device` in the mount table. Sockets that dead servers left
 * behind are removed on the way.
 *
 * @throws {ControlError} when there is no folder for it, or the mount is somebody else's (`/dev/fd/N`).
 * @throws {Error} when the system refuses.
 */
export async function listenForMount(
  mountpoint: string,
  device: string | undefined,
  commands: CommandTable,
): Promise<ControlServer> {
  const path = await socketPath(mountpoint, device);
  await removeDeadSockets();
  return await ControlServer.listen({ path, commands });
}

/** Has a mount that was made anew, as `device`, go on with the socket that it had. @throws as {@linkcode listenForMount}. */
export async function moveToMount(
  server: ControlServer,
  mountpoint: string,
  device: string | undefined,
): Promise<void> {
  await server.move(await socketPath(mountpoint, device));
}

async function socketPath(mountpoint: string, device: string | undefined): Promise<string> {
  if (device === undefined) throw new ControlError("failed", `${mountpoint} is not in this process's mount table`);
  return `${await makeRuntimeFolder()}/${socketName(connectionNumber(device), mountpoint)}`;
}
