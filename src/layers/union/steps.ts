/**
 * Work in steps, each of which may have to wait: a generator that yields the promises it waits for. Run over filesystems
 * that answer at once it answers at once itself, and so it can be served inside a loop; over others it is a promise.
 */
import type { Awaitable } from "../../fs/filesystem.ts";

export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

/** One step: the value, waited for if it is a promise. To be used as `yield* wait(…)`. */
export function* wait<T>(value: Awaitable<T>): Steps<T> {
  return value instanceof Promise ? (yield value) as T : value;
}

/** One step that is begun when its turn comes. */
export function* deferred<T>(act: () => Awaitable<T>): Steps<T> {
  return yield* wait(act());
}

/** Does the work, at once as far as nothing has to be waited for. */
export function run<T>(steps: Steps<T>): Awaitable<T> {
  const first = steps.next();
  return first.done ? first.value : goOn(steps, first.value);
}

async function goOn<T>(steps: Steps<T>, awaited: Promise<unknown>): Promise<T> {
  for (let promise = awaited;;) {
    const next = await promise.then((value) => steps.next(value), (error) => steps.throw(error));
    if (next.done) return next.value;
    promise = next.value;
  }
}
