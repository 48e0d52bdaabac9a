/** What a service manager is told of a mount (`Type=notify`), from its beginning to its end; nothing where there is none. */
import type { ReloadReport } from "../control/messages.ts";
import { processTime } from "../threads/process_clock.ts";
import type { MountPlan } from "./mount_plan.ts";
import type { NotifySocket } from "./notify_socket.ts";

export class MountService {
  readonly #socket: NotifySocket | undefined;
  readonly #name: string;
  readonly #mountpoint: string;

  /** `name` is what is mounted, for people. */
  constructor(socket: NotifySocket | undefined, name: string, mountpoint: string) {
    this.#socket = socket;
    this.#name = name;
    this.#mountpoint = mountpoint;
  }

  /** The mount can be used. */
  tellReady(): void {
    this.#tellReloaded(undefined);
  }

  /** The mount ends; `failure` is why, when nobody wanted that. */
  tellStopping(failure?: unknown): void {
    const reason = failure instanceof Error ? failure.message : failure;
    this.#socket?.tell({
      STOPPING: "1",
      STATUS: reason === undefined ? `Unmounting ${this.#mountpoint}` : `${reason}`,
    });
  }

  /** The plan, whose reloads are told. */
  watchReloads(plan: MountPlan): MountPlan {
    const { reload } = plan;
    if (this.#socket === undefined || reload === undefined) return plan;
    return {
      ...plan,
      reload: async (mount, request) => {
        // That only looks.
        if (request.dryRun) return await reload(mount, request);
        this.#tellReloading();
        try {
          const report = await reload(mount, request);
          this.#tellReloaded(whyNotReloaded(report));
          return report;
        } catch (error) {
          this.#tellReloaded(error instanceof Error ? error.message : String(error));
          throw error;
        }
      },
    };
  }

  /** The mount can be used; `failure` is why it is as it was. */
  #tellReloaded(failure: string | undefined): void {
    const remark = failure === undefined ? "" : `; not reloaded: ${failure}`;
    this.#socket?.tell({ READY: "1", STATUS: `Serving ${this.#name} at ${this.#mountpoint}${remark}` });
  }

  #tellReloading(): void {
    const status = `Reloading ${this.#name} at ${this.#mountpoint}`;
    // Type=notify-reload wants to know that this came after it asked (sd_notify(3)).
    const microseconds = Math.floor(processTime() * 1000);
    this.#socket?.tell({ RELOADING: "1", MONOTONIC_USEC: `${microseconds}`, STATUS: status });
  }
}

function whyNotReloaded({ problems, fixed }: ReloadReport): string | undefined {
  return problems[0] ?? fixed.map(({ key }) => `${key} cannot change while it is mounted`)[0];
}
