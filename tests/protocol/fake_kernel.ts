/** A kernel for tests of dispatch: encodes requests as /dev/fuse delivers them, and keeps the answers. */
import { OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import type { FileSystem } from "../../src/fs/filesystem.ts";
import { encodeName } from "../../src/fs/names.ts";
import { HeaderContext } from "../../src/protocol/context.ts";
import { Dispatcher } from "../../src/protocol/dispatch.ts";
import type { OpenFiles } from "../../src/protocol/open_files.ts";
import { ReplyBody } from "../../src/protocol/reply.ts";
import { RequestView } from "../../src/protocol/request.ts";

/** An answer: a body, or a negative errno. */
export interface Answered {
  readonly unique: number;
  readonly length: number;
  readonly body: DataView<ArrayBuffer>;
}

export interface FakeKernelOptions {
  readonly mustAnswerAtOnce?: boolean;
  readonly negativeTimeout?: number;
  readonly openFiles?: OpenFiles;
  /** Takes what is handed on. */
  readonly elsewhere?: (request: RequestView, handler: number) => void;
}

export class FakeKernel {
  readonly answers: Answered[] = [];
  readonly log: string[] = [];
  /** When true the kernel does not wait for answers any more. */
  gone = false;
  readonly #dispatcher: Dispatcher;
  readonly #body = new Uint8Array(1 << 16);
  #unique = 0;

  constructor(filesystem: FileSystem, options: FakeKernelOptions = {}) {
    const { negativeTimeout = 0, mustAnswerAtOnce = false, openFiles, elsewhere } = options;
    const defaults = { entryTimeout: 1.5, attributesTimeout: 2.25, negativeTimeout, uid: 1000, gid: 1001 };
    this.#dispatcher = new Dispatcher({
      filesystem,
      body: new ReplyBody(this.#body, defaults),
      answer: (request, length) => {
        const body = this.#body.slice(0, Math.max(0, length));
        this.answers.push({ unique: request.uniqueLower, length, body: new DataView(body.buffer) });
        return !this.gone;
      },
      log: (message) => this.log.push(message),
      cacheNegative: negativeTimeout > 0,
      extendedSetxattr: true,
      later: (_request, milliseconds) => this.log.push(`later ${milliseconds}`),
      mustAnswerAtOnce,
      openFiles,
      ...elsewhere && { elsewhere },
    });
  }

  /** Sends a request and returns its answer; undefined when there is none (yet). */
  async send(
    opcode: keyof typeof OPCODE,
    node: number,
    ...parts: (Uint8Array | string)[]
  ): Promise<Answered | undefined> {
    const unique = this.#unique += 2;
    const bytes = encodeRequest(OPCODE[opcode], unique, node, parts);
    const context = new HeaderContext({ allocate: (size) => new Uint8Array(size), signal: () => AbortSignal.abort() });
    await this.#dispatcher.dispatch(RequestView.over(bytes), context);
    return this.answers.find((answer) => answer.unique === unique);
  }
}

/** The header and `parts`: structs as bytes, names as strings that get their closing zero. */
function encodeRequest(opcode: number, unique: number, node: number, parts: (Uint8Array | string)[]) {
  const chunks = parts.map((part) => typeof part === "string" ? new Uint8Array([...encodeName(part), 0]) : part);
  const header = STRUCT.fuse_in_header;
  const length = chunks.reduce<number>((sum, chunk) => sum + chunk.length, header.SIZE);
  const bytes = new Uint8Array((length + 7) & ~7);
  const view = new DataView(bytes.buffer);
  view.setUint32(header.len, length, true);
  view.setUint32(header.opcode, opcode, true);
  view.setUint32(header.unique, unique, true);
  view.setBigUint64(header.nodeid, BigInt(node), true);
  view.setUint32(header.uid, 500, true);
  view.setUint32(header.gid, 501, true);
  view.setUint32(header.pid, 4242, true);
  let at: number = header.SIZE;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** A struct's bytes: `fields` by name, four bytes each, or eight for a bigint. */
export function struct<Name extends keyof typeof STRUCT>(
  name: Name,
  fields: Partial<Record<Exclude<keyof (typeof STRUCT)[Name], "SIZE">, number | bigint>>,
): Uint8Array {
  const layout = STRUCT[name] as Record<string, number>;
  const view = new DataView(new ArrayBuffer(layout.SIZE!));
  for (const [field, value] of Object.entries(fields) as [string, number | bigint][]) {
    if (typeof value === "bigint") view.setBigInt64(layout[field]!, value, true);
    else view.setUint32(layout[field]!, value, true);
  }
  return new Uint8Array(view.buffer);
}
