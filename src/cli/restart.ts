/** `restart`: another server for a mount that a keeper holds, of another release say, while programs use the mount. */
import { ask } from "../control/client.ts";
import { ControlError, readStatusReport, RESTART_DEADLINE, type ServerReport } from "../control/messages.ts";
import type { Command } from "../command_line/command.ts";
import { Failure } from "./failure.ts";
import { findControlSocket } from "./mount_status.ts";
import { locateMountpoint, refuseEmptyPath } from "./mountpoint.ts";

/** The command. */
export const COMMAND: Command = {
  name: "restart",
  summary: "replace the server of a mount, while it is used",
  description:
    "Have another process serve the mount at MOUNTPOINT, which a keeper holds (docs/keeper.md): the code may be " +
    "newer by now. Programs that use the mount notice a pause. Returns when the new one serves.",
  arguments: [["<mountpoint>", "where it is mounted"]],
  run: ({ words: [path] }) => restart(path!),
};

async function restart(path: string): Promise<void> {
  refuseEmptyPath(path, "restart the server of the mount at");
  const mountpoint = await locateMountpoint(path);
  const socket = await findControlSocket(mountpoint, "restart the server of");
  try {
    const { pid, restarts } = await ask(socket, "restart", RESTART_DEADLINE) as ServerReport;
    console.log(`Server ${pid} serves ${mountpoint} (restart ${restarts})`);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    if (error.code === "command") {
      const { noKeeper } = readStatusReport(await ask(socket, "status"));
      const reason = noKeeper === undefined ? "" : ` (${noKeeper})`;
      const text = `it has no keeper${reason}; mount it with -o process=separate`;
      throw new Failure("MOUNT", `Cannot restart the server of ${path}: ${text}`);
    }
    const kind = error.code === "gone" || error.code === "silent" ? "NO_ANSWER" : "MOUNT";
    throw new Failure(kind, `Cannot restart the server of ${path}: ${error.message}`, { cause: error });
  }
}
