/** All that have a tree of one mount, loops and handlers: each is told the same, and whoever is late is known by name. */
import { describeThrown, FsError } from "../fs/errors.ts";
import type { LoopCommandName, LoopCommands } from "../messages.ts";
import type { LoopWorker } from "../session/loop_worker.ts";
import { inTime } from "../threads/in_time.ts";
import type { HandlerBesideLoops } from "./handler_beside_loops.ts";
import type { Logger } from "./placement.ts";

/** What is asked of one server. */
type Given<Name extends LoopCommandName> = LoopCommands[Name]["given"];
type Answer<Name extends LoopCommandName> = LoopCommands[Name]["answer"];

export class TreeServers {
  readonly #loops: readonly Pick<LoopWorker, "command">[];
  readonly #handlers: ReadonlyMap<number, HandlerBesideLoops>;
  readonly #log: Logger;
  /** Who has been asked and has not answered yet. */
  readonly #asked = new Map<Promise<unknown>, string>();

  constructor(
    loops: readonly Pick<LoopWorker, "command">[],
    handlers: ReadonlyMap<number, HandlerBesideLoops>,
    log: Logger,
  ) {
    this.#loops = loops;
    this.#handlers = handlers;
    this.#log = log;
  }

  /** Asks all loops, in their order. */
  askLoops<Name extends LoopCommandName>(name: Name, given: Given<Name>): Promise<Answer<Name>>[] {
    const { length } = this.#loops;
    return this.#loops.map((loop, number) => this.#note(`loop ${number} of ${length}`, loop.command(name, given)));
  }

  /**
   * As {@linkcode askHandler} one that nobody waits for: it does so in its own time. What it throws is logged; that it dies
   * its pool logs.
   */
  tellHandler<Name extends LoopCommandName>(handler: number, name: Name, given: Given<Name>): void {
    this.#handlers.get(handler)!.pool.command(name, given).catch((error) => {
      this.#log(`Handler ${handler} failed at a change of the branches (${name})`, describeThrown(error));
    });
  }

  /** Asks one handler. Undefined when it has died, or dies. */
  askHandler<Name extends LoopCommandName>(
    handler: number,
    name: Name,
    given: Given<Name>,
  ): Promise<{ readonly answer: Answer<Name> } | undefined> {
    return this.#note(`handler ${handler}`, this.#handlers.get(handler)!.pool.command(name, given));
  }

  /** Those who have been asked and have not answered, for people. */
  get late(): string {
    return [...new Set(this.#asked.values())].join(", ") || "the kernel";
  }

  /**
   * What all of `answers` are, if they come in so many milliseconds.
   *
   * @throws {FsError} ETIMEDOUT that says who has not done `what`; and what the first rejects with.
   */
  all<Result>(answers: readonly Promise<Result>[], milliseconds: number, what: string): Promise<Result[]> {
    return inTime(Promise.all(answers), milliseconds, () => refusal(this.late, what, milliseconds));
  }

  /** As `all`, where each is to be known. */
  settle<Result>(
    answers: readonly Promise<Result>[],
    milliseconds: number,
    what: string,
  ): Promise<PromiseSettledResult<Result>[]> {
    const late = (answer: Promise<Result>) => refusal(this.#asked.get(answer) ?? this.late, what, milliseconds);
    return Promise.allSettled(answers.map((answer) => inTime(answer, milliseconds, () => late(answer))));
  }

  #note<Result>(who: string, answer: Promise<Result>): Promise<Result> {
    this.#asked.set(answer, who);
    answer.finally(() => this.#asked.delete(answer)).catch(() => {});
    return answer;
  }
}

function refusal(who: string, what: string, milliseconds: number): string {
  const text = `Cannot change the branches: ${who} has not ${what} for ${milliseconds / 1000} s`;
  return `${text}; nothing was changed, try again when it answers`;
}

/**
 * Why a change is refused: what the first of `outcomes` rejects with, and who that was when the others would have made it.
 * Undefined when none is refused.
 */
export function refusalOf(outcomes: readonly PromiseSettledResult<unknown>[], who: string): Error | undefined {
  const at = outcomes.findIndex(({ status }) => status === "rejected");
  if (at < 0) return undefined;
  const { reason } = outcomes[at] as PromiseRejectedResult;
  if (outcomes.every(({ status }) => status === "rejected") || reason?.code === "ETIMEDOUT") return reason;
  const text = `Cannot change the branches: ${who} ${at} of ${outcomes.length} refuses, and the others took it back: ` +
    reason.message;
  return reason instanceof FsError
    ? new FsError(reason.code, text, { cause: reason })
    : new Error(text, { cause: reason });
}
