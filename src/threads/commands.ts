/** The commands that one loop or handler is given, on the side that gives them; they are answered in their order. */
import { FsError } from "../fs/errors.ts";
import type { LoopAnswer, LoopCommand, LoopCommandName, LoopCommands } from "../messages.ts";

export class Commands {
  readonly #post: (command: LoopCommand) => void;
  /** The answers that have not come yet. */
  #answers: PromiseWithResolvers<LoopAnswer>[] = [];
  /** Why none is taken any more. */
  #over: Error | undefined;

  constructor(post: (command: LoopCommand) => void) {
    this.#post = post;
  }

  /** @throws {FsError} or Error, as the other side did; also when that ends before it answers. */
  async give<Name extends LoopCommandName>(
    name: Name,
    given: LoopCommands[Name]["given"],
  ): Promise<LoopCommands[Name]["answer"]> {
    if (this.#over !== undefined) throw this.#over;
    const pending = Promise.withResolvers<LoopAnswer>();
    this.#answers.push(pending);
    this.#post({ kind: "command", name, given } satisfies LoopCommand<Name>);
    const { answer, thrown } = await pending.promise;
    if (thrown !== undefined) throw revive(thrown);
    return answer as LoopCommands[Name]["answer"];
  }

  /** An answer has come. */
  settle(answer: LoopAnswer): void {
    this.#answers.shift()?.resolve(answer);
  }

  /** The other side has ended: the commands that it has are refused with `error`, and all that come. */
  end(error: Error): void {
    this.#over ??= error;
    for (const { reject } of this.#answers.splice(0)) reject(error);
  }

  /** Whether the other side has ended. */
  get ended(): boolean {
    return this.#over !== undefined;
  }
}

/** What the other side threw, as an error of this isolate. */
function revive({ code, message, stack }: NonNullable<LoopAnswer["thrown"]>): Error {
  const error = code === undefined ? new Error(message) : new FsError(code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
