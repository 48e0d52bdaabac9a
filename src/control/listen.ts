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
  if (device === undefined) throw new ControlError("failed", `${mountpoint} is not in this process's mount table`);
  const folder = await makeRuntimeFolder();
  await removeDeadSockets();
  return await ControlServer.listen({
    path: `${folder}/${socketName(connectionNumber(device), mountpoint)}`,
    commands,
  });
}
