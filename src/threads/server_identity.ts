/**
 * Whose rights this thread has. A layer may have it act as a caller until the next one comes; what the thread does for
 * the server itself, such as loading a module, comes after {@linkcode becomeServer}.
 */

let restore = () => {};

/** Says how this thread becomes the server again. One says it for all: a thread has one identity. */
export function onBecomeServer(action: () => void): void {
  restore = action;
}

/** From here on this thread acts as the server. */
export function becomeServer(): void {
  restore();
}
