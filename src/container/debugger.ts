/** The debugger that Deno opens at SIGUSR1, which was meant for the program in the sandbox. */
import inspector from "node:inspector";

/** How long after the signal it may open, in milliseconds; it takes about three. */
const OPENS_WITHIN = 1000;

/** Whether this process is being debugged on purpose. */
export function isDebugged(): boolean {
  return inspector.url() !== undefined;
}

/**
 * Closes it once it is open. Deno (since 2.9.2) opens it beside all listeners and cannot be told not to: at
 * 127.0.0.1:9229, where everybody on the host, and with `network` the program in the sandbox, could run code as this user.
 */
export async function closeDebugger(): Promise<void> {
  for (const deadline = performance.now() + OPENS_WITHIN; !isDebugged();) {
    if (performance.now() > deadline) return;
    await new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, 1)));
  }
  inspector.close();
}
