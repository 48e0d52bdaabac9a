/**
 * What a loop does when it is called away from its requests: it takes one command, does it with its event loop running,
 * answers, and goes back. Requests that come meanwhile wait, or go to other loops. A handler beside loops, whose event loop
 * always runs, takes the same commands.
 */
import type { NewBranch } from "../fs/branches.ts";
import { describeThrown, FsError } from "../fs/errors.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import { loadModule } from "../fs/load_module.ts";
import type {
  LogRecord,
  LoopAnswer,
  LoopBranchChange,
  LoopCommand,
  LoopCommandName,
  LoopCommands,
  LoopNewBranch,
  LoopUnused,
  MadeInHandler,
} from "../messages.ts";
import { becomeServer } from "../threads/server_identity.ts";
import type { RequestForwarder } from "../transport/forwarding.ts";
import { methodsOf, needsCounts } from "./methods.ts";

type Doers = {
  readonly [Name in LoopCommandName]: (
    given: LoopCommands[Name]["given"],
  ) => LoopCommands[Name]["answer"] | Promise<LoopCommands[Name]["answer"]>;
};

/** What commands are about. */
export interface CommandedLoop {
  readonly filesystem: FileSystem;
  readonly loop: number;
  /** For a handler beside loops: its number among those. What others serve it only knows where it is. */
  readonly handler?: number | undefined;
  /** The ways of a loop to handlers, once it serves. */
  readonly forwarder?: RequestForwarder | undefined;
  post(message: LoopAnswer | LoopUnused | LogRecord): void;
}

export class LoopCommandTaker {
  readonly #loop: CommandedLoop;
  readonly #commands: LoopCommand[] = [];
  /** The handlers that come with what is prepared. */
  readonly #opened: number[] = [];
  #arrived = () => {};
  /** The command that is being done. */
  #turn: Promise<void> = Promise.resolve();

  constructor(loop: CommandedLoop) {
    this.#loop = loop;
  }

  /** A command has come; the loop is called. */
  receive(command: LoopCommand): void {
    this.#commands.push(command);
    this.#arrived();
  }

  /** Waits for a command that the loop is called for, does it after those before it, and answers. Never rejects. */
  takeOne(): Promise<void> {
    return this.#turn = this.#turn.then(() => this.#takeOne());
  }

  async #takeOne(): Promise<void> {
    while (this.#commands.length === 0) await new Promise<void>((resolve) => this.#arrived = resolve);
    const { name, given } = this.#commands.shift()!;
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
      for (const { handler, sender } of added) {
        if (sender !== undefined) this.#open(handler!, sender);
      }
      return this.#loop.handler === undefined ? [] : branches.flatMap(describeMade);
    },
    commitBranches: () => {
      this.#opened.length = 0;
      return this.#branches.commit();
    },
    abandonBranches: () => {
      for (const handler of this.#opened.splice(0)) this.#loop.forwarder!.close(handler);
      return this.#branches.abandon();
    },
    dropBranches: async (dropped) => {
      const { held } = this.#branches;
      const unused = (branch: number) => this.#loop.post({ kind: "unused", branch });
      const gone = this.#branches.drop(
        dropped.map(({ id, openFiles: count }) => ({ id, lazy: count && { count, unused: () => unused(id) } })),
      );
      for (const { handler } of dropped) {
        if (handler !== undefined) this.#loop.forwarder?.close(handler);
      }
      // A loop's methods have all come to their end, and its event loop stands still when this returns. A handler's go on.
      if (this.#loop.handler === undefined) await gone;
      else gone.catch((error) => this.#log("A branch that was removed did not end well", error));
      return held;
    },
    numberPlaces: () => this.#branches.numbers,
    countBranches: () => this.#branches.held,
  };

  /** The way to a handler that is to come. */
  #open(handler: number, sender: number): void {
    this.#loop.forwarder!.open(handler, sender);
    this.#opened.push(handler);
  }

  #log(message: string, error: unknown): void {
    this.#loop.post({ kind: "log", message, detail: describeThrown(error) });
  }

  async #make(branch: LoopNewBranch): Promise<NewBranch> {
    const { id, path, generation, handler, made, module, options, shared, loops, restarts } = branch;
    const point = { id, path, generation, ...handler !== undefined && { handler } };
    if (made !== undefined) return { ...point, filesystem: standingFor(made) };
    if (handler !== this.#loop.handler) return { ...point, filesystem: undefined };
    if (handler !== this.#branches.handler) throw new TypeError(NO_HANDLERS);
    const make = await loadModule(module);
    // Of a handler's own branch there is no other.
    const loop = handler === undefined ? this.#loop.loop : 0;
    const filesystem = make(options, { loop, loops, shared, ...restarts !== undefined && { restarts } });
    if (loops > 1 && needsCounts(filesystem)) {
      throw new TypeError(
        `Cannot graft at "${path}" in ${loops} loops: the filesystem has \`forget\`, and lookups are counted in one ` +
          "isolate only. Let it count them itself, with `forgetLookups`",
      );
    }
    return { ...point, filesystem };
  }
}

const NO_HANDLERS =
  "Cannot graft in a handler: the module of the tree does not say which handler it makes it for; write " +
  "`new BranchFileSystem(branches, { handler: host.handler })`";

/** In loops, for a branch that a handler serves: has its operations, none of which is ever called. */
function standingFor({ methods, features }: MadeInHandler): FileSystem {
  return { ...Object.fromEntries(methods.map((method) => [method, () => {}])), features };
}

function describeMade({ id, filesystem }: NewBranch): MadeInHandler[] {
  if (filesystem === undefined) return [];
  return [{ id, methods: methodsOf(filesystem), features: filesystem.features ?? [] }];
}
