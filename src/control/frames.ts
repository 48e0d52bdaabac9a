/**
 * Frames, on the control socket and between a keeper and its servers: a u32 little-endian length, then that many bytes
 * of JSON in UTF-8.
 */

/** The longest body on a control socket, in bytes. */
export const MAX_FRAME = 1 << 20;

const HEADER = 4;

/** What came is no frame; nothing after it can be understood. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** The frame of a value. @throws {FrameError} when it is too long. */
export function encodeFrame(value: unknown, longest = MAX_FRAME): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(JSON.stringify(value));
  if (body.length > longest) {
    throw new FrameError(`Cannot send a frame of ${body.length} bytes: at most ${longest} fit`);
  }
  const frame = new Uint8Array(HEADER + body.length);
  new DataView(frame.buffer).setUint32(0, body.length, true);
  frame.set(body, HEADER);
  return frame;
}

/** Puts the pieces that a stream brings together again. Keeps at most one frame and the piece that ended it. */
export class FrameDecoder {
  readonly #longest: number;
  #pending: Uint8Array = new Uint8Array();

  /** For frames with bodies of at most `longest` bytes. */
  constructor(longest = MAX_FRAME) {
    this.#longest = longest;
  }

  /** The values that `piece` completes. @throws {FrameError} as soon as it is clear that no frame is coming. */
  *push(piece: Uint8Array): Generator<unknown, void> {
    this.#pending = concatenate(this.#pending, piece);
    for (let body; (body = this.#takeBody()) !== undefined;) yield parse(body);
  }

  /** The stream has ended. @throws {FrameError} when that was within a frame. */
  end(): void {
    if (this.#pending.length > 0) throw new FrameError("Cannot read the frame: the stream ended within it");
  }

  #takeBody(): Uint8Array | undefined {
    const bytes = this.#pending;
    if (bytes.length < HEADER) return undefined;
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (length > this.#longest) {
      throw new FrameError(`Cannot read a frame of ${length} bytes: at most ${this.#longest} are allowed`);
    }
    if (bytes.length < HEADER + length) return undefined;
    this.#pending = bytes.subarray(HEADER + length);
    return bytes.subarray(HEADER, HEADER + length);
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw new FrameError(`Cannot read the frame: its body is no JSON (${(error as Error).message})`, { cause: error });
  }
}
