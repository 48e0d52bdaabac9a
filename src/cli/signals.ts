/** Waiting for the signals that ask the tool to end. */

/** A wait for a signal. Until it is disposed of, the signals do not end the process. */
export interface SignalWait extends Disposable {
  /** Settles when the first signal comes. */
  readonly signal: Promise<Deno.Signal>;
}

/** Waits for any of `signals`. */
export function awaitSignal(...signals: Deno.Signal[]): SignalWait {
  const { promise, resolve } = Promise.withResolvers<Deno.Signal>();
  const listeners = signals.map((signal) => [signal, () => resolve(signal)] as const);
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return {
    signal: promise,
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
