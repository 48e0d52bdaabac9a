/** Asks the server of a mount over its control socket. Never waits longer than its deadline. */
import { encodeFrame, FrameDecoder, FrameError } from "./frames.ts";
import { type CommandName, type Commands, ControlError, readResult, type Request, VERSION } from "./messages.ts";

/** How long a server may take to answer, in milliseconds. */
const ANSWER_DEADLINE = 2_000;

/**
 * The result of a command.
 *
 * @throws {ControlError} with the server's reason; or `gone`, when nobody listens at `path`; or `silent`, when nothing
 * came within `deadline` milliseconds.
 */
export async function ask<Name extends CommandName>(
  path: string,
  command: Name,
  deadline = ANSWER_DEADLINE,
  given?: Commands[Name]["given"],
): Promise<unknown> {
  const closing = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new ControlError("silent", `The server at ${path} did not answer within ${deadline} ms`));
    closing.abort();
  }, deadline);
  try {
    return await Promise.race([converse(path, { version: VERSION, command, given }, closing.signal), late]);
  } catch (error) {
    throw explain(path, error);
  } finally {
    clearTimeout(timer);
  }
}

async function converse(path: string, request: Request, closing: AbortSignal): Promise<unknown> {
  using connection = await Deno.connect({ transport: "unix", path });
  closing.throwIfAborted();
  // Closed by the deadline, a read that waits fails at once.
  const close = () => connection.close();
  closing.addEventListener("abort", close);
  using cleanup = new DisposableStack();
  cleanup.defer(() => closing.removeEventListener("abort", close));
  return readResult(await exchange(connection, encodeFrame(request)));
}

/** Sends a frame and returns what the first one that comes back says. */
async function exchange(connection: Deno.Conn, frame: Uint8Array): Promise<unknown> {
  for (let sent = 0; sent < frame.length;) sent += await connection.write(frame.subarray(sent));
  const decoder = new FrameDecoder();
  const buffer = new Uint8Array(1 << 16);
  for (let length; (length = await connection.read(buffer)) !== null;) {
    for (const value of decoder.push(buffer.slice(0, length))) return value;
  }
  decoder.end();
  throw new ControlError("gone", "The server closed the connection without an answer");
}

function explain(path: string, error: unknown): unknown {
  if (error instanceof FrameError) return new ControlError("malformed", error.message, { cause: error });
  const isGone = error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
  return isGone ? new ControlError("gone", `Nobody listens at ${path}`, { cause: error }) : error;
}
