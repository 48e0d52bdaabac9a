/**
 * Sees to it that a mount whose servers are processes of their own goes with its keeper, also when that is killed while a
 * server is stopped, hangs, or has died with it. A server's process holds the connection: as long as it does, and serves
 * nothing, programs wait.
 */
import { Guard } from "./guard.ts";

// A server that can takes the mount away itself, without an error for who comes by path; it has a second for that. Then
// all are killed, which a stopped process is too. What is mounted there may be another's by now, so that the mount is
// told by the connection's number (major:minor in proc_pid_mountinfo(5)), which has to be that of the topmost. umount -f
// ends the connection also where no signal reaches the server, but only for root; fusermount3 is for who is not.
//
// A keeper that was killed as it mounted has not come to say the number. Its servers are killed first, for they may hold
// the connection and not serve it yet; then its mount is the one of FUSE there that nobody holds (ENOTCONN).
const SCRIPT = `
mountpoint=$1 spelled=$2 mounted= servers=
while read -r word value; do
  case $word in
  mounted) mounted=$value ;;
  servers) servers=$value ;;
  done) exit ;;
  esac
done
is_mounted() {
  top= rest=
  while read -r _ _ device _ point more; do
    [ "$point" != "$spelled" ] || { top=$device rest=$more; }
  done </proc/self/mountinfo
  [ -z "$mounted" ] || { [ "$top" = "$mounted" ]; return; }
  case $rest in *" - fuse"*) ! [ -e "$mountpoint" ] ;; *) false ;; esac
}
kill_servers() {
  for server in $servers; do kill -KILL "$server"; done
  servers=
}
[ -n "$mounted" ] || kill_servers
for _ in 1 2 3 4 5 6 7 8 9 10; do
  is_mounted || break
  sleep 0.1
done
kill_servers
is_mounted && { umount -f -l -- "$mountpoint" || fusermount3 -u -z -- "$mountpoint"; }
`;

/** Watches until it is disposed of; by then the mount has to be gone. */
export class KeeperGuard extends Guard {
  /**
   * Begins to watch over the mount that is to be made at `mountpoint`, an absolute path; `spelled` is how the mount table
   * writes it.
   */
  static start(mountpoint: string, spelled: string): KeeperGuard {
    return new KeeperGuard("trellis-keeper-guard", SCRIPT, [mountpoint, spelled]);
  }

  /** It is mounted: `device` is its `major:minor`. */
  watchMount(device: string): void {
    this.#say(`mounted ${device}`);
  }

  /** These are all processes that hold the connection, beside the keeper. */
  watchServers(pids: Iterable<number>): void {
    this.#say(`servers ${[...pids].join(" ")}`);
  }

  /** Whoever has killed the watcher has not ended the mount. */
  #say(line: string): void {
    this.tell(line).catch((error) => {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    });
  }
}
