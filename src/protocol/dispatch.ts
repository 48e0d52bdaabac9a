/**
 * From a request's bytes to a method and back: the whole of what serving means, without a kernel, a thread or a
 * transport. The loops and the handlers each have one.
 */
import { OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import type { Entry } from "../fs/attributes.ts";
import { Elsewhere, ERRNO, errnoNameOf, Later } from "../fs/errors.ts";
import type { FileSystem, NodeId } from "../fs/filesystem.ts";
import type { HeaderContext } from "./context.ts";
import { LookupCounts } from "../fs/lookup_counts.ts";
import { ForgetBatches } from "./forget_batches.ts";
import { OPERATIONS } from "./operations.ts";
import { type OpenFiles, WITHOUT_BACKING } from "./open_files.ts";
import type { Operation, ReplyHost } from "./operations/row.ts";
import type { ReplyBody } from "./reply.ts";
import type { RequestView } from "./request.ts";

/** Sends the answer to a request: `length` bytes of the body, or a negative errno. False when nobody waits any more. */
export type Answer = (request: RequestView, length: number) => boolean;

/** Where what went wrong inside a filesystem is told. */
export type Log = (message: string, error: unknown) => void;

export interface DispatcherOptions {
  readonly filesystem: FileSystem;
  readonly body: ReplyBody;
  readonly answer: Answer;
  readonly log: Log;
  /** Whether a name that is not there may be cached (`negative_timeout` is not 0). */
  readonly cacheNegative: boolean;
  /** Whether `fuse_setxattr_in` has its long form (feature `setxattr-ext`). */
  readonly extendedSetxattr: boolean;
  /** Keeps a request whose method threw {@linkcode Later}, and dispatches it again. */
  readonly later: (request: RequestView, milliseconds: number) => void;
  /** Hands a request on to the handler that its method named with {@linkcode Elsewhere}. Without it nobody may. */
  readonly elsewhere?: (request: RequestView, handler: number) => void;
  /** Told what the page cache had, for the `retrieve` of that number. The bytes are valid until it returns. */
  readonly retrieved?: (unique: number, data: Uint8Array) => void;
  /** Whether promises are refused, because nothing here would ever resolve them (placement "loop"). */
  readonly mustAnswerAtOnce: boolean;
  /** Who counts opens and has backing ids; absent without the feature `passthrough`. */
  readonly openFiles?: OpenFiles | undefined;
}

/** `fuse_setxattr_in` without the flags that FUSE_SETXATTR_EXT brought (FUSE_COMPAT_SETXATTR_IN_SIZE). */
const SHORT_SETXATTR = 8;

/** Calls the filesystem's methods for requests and answers each exactly once. */
export class Dispatcher implements ReplyHost {
  readonly body: ReplyBody;
  readonly cacheNegative: boolean;
  readonly openFiles: OpenFiles;
  readonly #filesystem: FileSystem;
  readonly #answer: Answer;
  readonly #log: Log;
  readonly #later: DispatcherOptions["later"];
  readonly #elsewhere: DispatcherOptions["elsewhere"];
  readonly #forgetBatches = new ForgetBatches();
  readonly #retrieved: DispatcherOptions["retrieved"];
  readonly #rows: (Operation | undefined)[] = [];
  /** By opcode, whether the filesystem has none of the row's methods. */
  readonly #lacking: boolean[] = [];
  readonly #setxattrSize: number;
  readonly #mustAnswerAtOnce: boolean;
  /** Absent when nobody wants to know, or when the filesystem counts by itself. */
  readonly #counts: LookupCounts | undefined;

  constructor(options: DispatcherOptions) {
    this.body = options.body;
    this.cacheNegative = options.cacheNegative;
    this.openFiles = options.openFiles ?? WITHOUT_BACKING;
    this.#filesystem = options.filesystem;
    this.#answer = options.answer;
    this.#log = options.log;
    this.#later = options.later;
    this.#elsewhere = options.elsewhere;
    this.#retrieved = options.retrieved;
    this.#setxattrSize = options.extendedSetxattr ? STRUCT.fuse_setxattr_in.SIZE : SHORT_SETXATTR;
    this.#mustAnswerAtOnce = options.mustAnswerAtOnce;
    for (const [opcode, row] of OPERATIONS) {
      this.#rows[opcode] = row;
      this.#lacking[opcode] = this.#lacks(row);
    }
    const { forget, forgetLookups } = options.filesystem;
    this.#counts = forget !== undefined && forgetLookups === undefined ? new LookupCounts() : undefined;
  }

  /**
   * Serves one request. Returns a promise when the method does; it resolves when the answer was sent and never
   * rejects. Without one the answer was sent before this returned.
   */
  dispatch(request: RequestView, context: HeaderContext): void | Promise<void> {
    const opcode = request.opcode;
    const row = this.#rows[opcode];
    if (row === undefined) return this.#other(opcode, request);
    if (this.#lacking[opcode]) {
      this.#answer(request, row.missing === undefined ? -ERRNO.ENOSYS : row.missing(this, request));
      return;
    }
    request.setArguments(opcode === OPCODE.SETXATTR ? this.#setxattrSize : row.size);
    context.read(request);
    try {
      const result = row.call(this.#filesystem as Required<FileSystem>, request, context, this);
      if (result instanceof Promise) {
        if (this.#mustAnswerAtOnce) {
          result.catch(() => {});
          return this.#refuse(row, new TypeError(MUST_ANSWER), request);
        }
        return result.then(
          (value) => this.#finish(row, value, request, context),
          (error) => this.#refuse(row, error, request),
        );
      }
      this.#finish(row, result, request, context);
    } catch (error) {
      this.#refuse(row, error, request);
    }
  }

  #lacks({ method, otherMethod }: Operation): boolean {
    return this.#filesystem[method] === undefined &&
      (otherMethod === undefined || this.#filesystem[otherMethod] === undefined);
  }

  #finish(row: Operation, result: unknown, request: RequestView, context: HeaderContext): void {
    let length: number;
    try {
      length = row.reply(result, this, request);
    } catch (error) {
      return this.#refuse(row, error, request);
    }
    if (!this.#send(row, request, length) && row.refused !== undefined && length >= 0) {
      void this.#takeBack(row, result, request, context);
    }
  }

  /** Nobody waits any more: what the answer would have handed out is given back. What that throws only the log hears. */
  async #takeBack(row: Operation, result: unknown, request: RequestView, context: HeaderContext): Promise<void> {
    try {
      await row.refused?.(result, this, this.#filesystem, request, context);
    } catch (error) {
      this.#log(`${row.method} of node ${request.node} was answered too late, and was not taken back`, error);
    }
  }

  #refuse(row: Operation, error: unknown, request: RequestView): void {
    if (error instanceof Later) return this.#later(request, error.milliseconds);
    if (error instanceof Elsewhere && this.#elsewhere !== undefined) return this.#handOn(row, error.handler, request);
    const name = errnoNameOf(error);
    if (name === undefined) {
      this.#log(`${row.method} of node ${request.node} threw what is no FsError; the caller gets EIO`, error);
    }
    this.#send(row, request, -ERRNO[name ?? "EIO"]);
  }

  /** What cannot be handed on ends nothing but itself: the handler may be none, or be gone. */
  #handOn(row: Operation, handler: number, request: RequestView): void {
    try {
      this.#elsewhere!(request, handler);
    } catch (error) {
      this.#log(`${row.method} of node ${request.node} cannot be handed on; the caller gets EIO`, error);
      this.#send(row, request, -ERRNO.EIO);
    }
  }

  /** An answer that the kernel finds malformed is `EIO` for the caller already; here it is a line for the log. */
  #send(row: Operation, request: RequestView, length: number): boolean {
    try {
      return this.#answer(request, length);
    } catch (error) {
      this.#log(`${row.method} of node ${request.node}: the kernel refused the answer; the caller gets EIO`, error);
      return false;
    }
  }

  /** Requests without a row: forgets and replies have no answer, and what nobody knows is ENOSYS. */
  #other(opcode: number, request: RequestView): void {
    if (opcode === OPCODE.FORGET) {
      this.#forget(request.node, request.u64(STRUCT.fuse_forget_in.nlookup));
      this.#handForgetsOn(request);
    } else if (opcode === OPCODE.BATCH_FORGET) {
      const { nodeid, nlookup, SIZE } = STRUCT.fuse_forget_one;
      const count = request.u32(STRUCT.fuse_batch_forget_in.count);
      for (let at = STRUCT.fuse_batch_forget_in.SIZE, left = count; left > 0; left--, at += SIZE) {
        this.#forget(request.u64(at + nodeid), request.u64(at + nlookup));
      }
      this.#handForgetsOn(request);
    } else if (opcode === OPCODE.NOTIFY_REPLY) {
      const { SIZE, size } = STRUCT.fuse_notify_retrieve_in;
      request.setArguments(SIZE);
      this.#retrieved?.(request.unique, request.takeBytes(request.u32(size)));
    } else if (opcode === OPCODE.DESTROY) {
      this.#answer(request, 0);
    } else {
      this.#answer(request, -ERRNO.ENOSYS);
    }
  }

  #forget(node: NodeId, count: number): void {
    const filesystem = this.#filesystem;
    try {
      if (filesystem.forgetLookups !== undefined) filesystem.forgetLookups(node, count);
      else if (this.#counts?.lower(node, count)) filesystem.forget?.(node);
    } catch (error) {
      if (error instanceof Elsewhere) this.#forgetBatches.add(error.handler, node, count);
      else this.#log(`forget of node ${node} threw`, error);
    }
  }

  /** A request may forget nodes of several handlers, and of this filesystem beside them. */
  #handForgetsOn(request: RequestView): void {
    if (this.#forgetBatches.isEmpty) return;
    for (const [handler, batch] of this.#forgetBatches.take(request)) {
      try {
        this.#elsewhere?.(batch, handler);
      } catch (error) {
        this.#log(`Forgets of handler ${handler} cannot be handed on`, error);
      }
    }
  }

  count(entry: Entry): void {
    this.#counts?.raise(entry.node);
  }

  uncount(node: NodeId): void {
    this.#forget(node, 1);
  }

  discard(entry: Entry): void {
    this.#filesystem.forgetLookups?.(entry.node, 1);
  }
}

const MUST_ANSWER = 'A filesystem with placement "loop" returned a promise: its methods must answer at once. ' +
  "Serve an async filesystem as an object: mount(filesystem, mountpoint)";
