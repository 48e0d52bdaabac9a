/** Opens the control socket of a mount that this process serves. */
import { ControlError } from "./messages.ts";
import { type CommandTable, ControlServer } from "./server.ts";
import { connectionNumber, makeRuntimeFolder, removeDeadSockets, socketName } from "./socket_files.ts";

/** Where the control sockets of mounts are to be. */
export class ControlFolder {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * What can be done before there is a mount: makes the folder, and removes the sockets that dead servers left behind.
   *
   * @throws {ControlError} when there can be no folder.
   */
  static async prepare(): Promise<ControlFolder> {
    const path = await makeRuntimeFolder();
    await removeDeadSockets();
    return new ControlFolder(path);
  }

  /**
   * Listens for commands about the mount at `mountpoint`, `device` in the mount table. `onFailure` hears when nobody can be
   * accepted after all.
   *
   * @throws {ControlError} when the mount is somebody else's (`/dev/fd/N`).
   * @throws {Error} when the system refuses.
   */
  async listen(
    mountpoint: string,
    device: string | undefined,
    commands: CommandTable,
    onFailure: (error: unknown) => void,
  ): Promise<ControlServer> {
    return await ControlServer.listen({ path: await this.#socketOf(mountpoint, device), commands, onFailure });
  }

  /** Has a mount that was made anew, as `device`, go on with the socket that it had. @throws as {@linkcode listen}. */
  async move(server: ControlServer, mountpoint: string, device: string | undefined): Promise<void> {
    await server.move(await this.#socketOf(mountpoint, device));
  }

  async #socketOf(mountpoint: string, device: string | undefined): Promise<string> {
    if (device === undefined) throw new ControlError("failed", `${mountpoint} is not in this process's mount table`);
    return `${this.#path}/${await socketName(connectionNumber(device), mountpoint)}`;
  }
}
