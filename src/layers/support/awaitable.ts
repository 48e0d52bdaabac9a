/** Going on after an answer that may be there at once, and must then not become a promise. */
import type { Awaitable } from "../../fs/filesystem.ts";

/** What `next` makes of `value`: at once when the value is there, with a promise when it is to come. */
export function after<Value, Result>(
  value: Awaitable<Value>,
  next: (value: Value) => Awaitable<Result>,
): Awaitable<Result> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** What `attempt` returns, or what `recover` makes of the error that it throws or rejects with. */
export function orElse<Result>(
  attempt: () => Awaitable<Result>,
  recover: (error: unknown) => Awaitable<Result>,
): Awaitable<Result> {
  try {
    const result = attempt();
    return result instanceof Promise ? result.catch(recover) : result;
  } catch (error) {
    return recover(error);
  }
}
