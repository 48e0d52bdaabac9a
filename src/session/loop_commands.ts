/**
 * What a loop does when it is called away from its requests: it takes one command, does it with its event loop running,
 * answers, and goes back. Requests that come meanwhile wait, or go to other loops. A handler beside loops, whose event loop
 * always runs, takes the same commands.
 */
import type { NewBranch } from "../fs/branches.ts";
import { FsError } from "../fs/errors.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import type { FileSystemModule } from "../fs/module.ts";
import type {
  LoopAnswer,
  LoopBranchChange,
  LoopCommand,
  LoopCommandName,
  LoopCommands,
  LoopNewBranch,
  LoopUnused,
} from "../messages.ts";
import { becomeServer } from "../threads/server_identity.ts";
import { needsCounts } from "./methods.ts";

type Doers = {
  readonly [Name in LoopCommandName]: (
    given: LoopCommands[Name]["given"],
  ) => LoopCommands[Name]["answer"] | Promise<LoopCommands[Name]["answer"]>;
};

/** What commands are about. */
export interface CommandedLoop {
  readonly filesystem: FileSystem;
  readonly loop: number;
  /** For a handler beside loops: its number among those. What is grafted the loops serve, and it only knows where. */
  readonly handler?: number | undefined;
  post(message: LoopAnswer | LoopUnused): void;
}

export class LoopCommandTaker {
  readonly #loop: CommandedLoop;
  #next = Promise.withResolvers<LoopCommand>();

  constructor(loop: CommandedLoop) {
    this.#loop = loop;
  }

  /** A command has come; the loop is called. */
  receive(command: LoopCommand): void {
    this.#next.resolve(command);
  }

  /** Waits for the command that the loop is called for, does it and answers. Never rejects. */
  async takeOne(): Promise<void> {
    const { name, given } = await this.#next.promise;
    this.#next = Promise.withResolvers();
    try {
      becomeServer();
      const answer = await (this.#doers[name] as Doers[LoopCommandName])(given as never);
      this.#loop.post({ kind: "answer", answer });
    } catch (error) {
      const { message, stack } = error instanceof Error ? error : new Error(String(error));
      const code = error instanceof FsError ? error.code : undefined;
      this.#loop.post({ kind: "answer", thrown: { code, message, stack } });
    }
  }

  /** Makes a change that the server before had made, before anything is served. */
  async change(change: LoopBranchChange): Promise<void> {
    const ids = this.#branches.points.filter(({ path }) => change.removed.includes(path)).map(({ id }) => ({ id }));
    await this.#doers.prepareBranches(change);
    this.#branches.commit();
    await this.#branches.drop(ids);
  }

  /** Who commands knows from `LoopReady` that there are branches. */
  get #branches(): NonNullable<FileSystem["branches"]> {
    return this.#loop.filesystem.branches!;
  }

  readonly #doers: Doers = {
    prepareBranches: async ({ removed, added, numbers }) => {
      const branches: NewBranch[] = [];
      try {
        for (const branch of added) branches.push(await this.#make(branch));
        this.#branches.prepare({ removed, added: branches, numbers });
      } catch (error) {
        await Promise.all(branches.map(({ filesystem }) => filesystem?.destroy?.()));
        throw error;
      }
    },
    commitBranches: () => this.#branches.commit(),
    abandonBranches: () => this.#branches.abandon(),
    dropBranches: async (dropped) => {
      const { held } = this.#branches;
      const unused = (branch: number) => this.#loop.post({ kind: "unused", branch });
      await this.#branches.drop(
        dropped.map(({ id, openFiles: count }) => ({ id, lazy: count && { count, unused: () => unused(id) } })),
      );
      return held;
    },
    numberPlaces: () => this.#branches.numbers,
    countBranches: () => this.#branches.held,
  };

  async #make(branch: LoopNewBranch): Promise<NewBranch> {
    const { id, path, generation, module, options, shared, loops, restarts } = branch;
    const { loop, handler } = this.#loop;
    if (handler !== undefined) return { id, path, generation, filesystem: undefined };
    const { default: make } = await import(module) as FileSystemModule;
    const filesystem = make(options, { loop, loops, shared, ...restarts !== undefined && { restarts } });
    if (loops > 1 && needsCounts(filesystem)) {
      throw new TypeError(
        `Cannot graft at "${path}" in ${loops} loops: the filesystem has \`forget\`, and lookups are counted in one ` +
          "isolate only. Let it count them itself, with `forgetLookups`",
      );
    }
    return { id, path, generation, filesystem };
  }
}
