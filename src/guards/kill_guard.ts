/**
 * Sees to it that a sandbox ends with the process that made it, also when that is killed.
 *
 * bubblewrap's own `--die-with-parent` would do it too, but would end the sandbox with bubblewrap's outermost process, which
 * the terminal's Ctrl-C kills.
 */
import { Guard } from "./guard.ts";

// What a process has started, of which nobody could tell yet, is killed with it; it is stopped first, to start no more.
const SCRIPT = `
processes=
while read -r word; do
  [ "$word" = done ] && exit
  processes="$processes $word"
done
for process in $processes; do
  kill -STOP "$process"
  kill -KILL $(cat "/proc/$process/task/$process/children") "$process"
done
`;

/** Watches until it is disposed of; by then the processes have to be gone. */
export class KillGuard extends Guard {
  static start(): KillGuard {
    return new KillGuard("trellis-kill-guard", SCRIPT, []);
  }

  /** A process that is to end, with its children. */
  add(pid: number): Promise<void> {
    return this.tell(`${pid}`);
  }
}
