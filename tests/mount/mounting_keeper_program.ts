/** A keeper that is killed as it mounts: nobody has been told which mount it is. Run with the mountpoint. */
import { Connection } from "../../src/connection/connection.ts";
import { spellMountpoint } from "../../src/connection/mount_table.ts";
import { KeeperGuard } from "../../src/guards/keeper_guard.ts";

const [mountpoint = ""] = Deno.args;
KeeperGuard.start(mountpoint, spellMountpoint(mountpoint));
Connection.mount(mountpoint, ["subtype=trellis"]);
Deno.kill(Deno.pid, "SIGKILL");
