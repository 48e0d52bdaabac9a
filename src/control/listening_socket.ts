/** Opens a Unix socket that listens, before anything is loaded that could accept who connects: the kernel keeps them. */
import { AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../../ffi/libc.ts";
import { openLibc } from "../../ffi/library.ts";
import { errnoName } from "../fs/errors.ts";

/** sun_path of struct sockaddr_un (unix(7)), with a zero at its end. */
const LONGEST_PATH = 107;

/** How many the kernel keeps. */
const BACKLOG = 128;

/** The descriptor of a socket at `path`; whoever asks closes it. @throws {Error} as the system refuses. */
export function openListeningSocket(path: string): number {
  const { symbols, errno } = openLibc();
  const fail = (reason: string | undefined = errnoName(errno[0]!)) => new Error(`Cannot listen at ${path}: ${reason}`);
  const name = new TextEncoder().encode(path);
  if (name.length > LONGEST_PATH) throw fail("the path is too long");
  const address = new Uint8Array(2 + name.length + 1);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(name, 2);
  const descriptor = symbols.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) throw fail();
  if (symbols.bind(descriptor, address, address.length) < 0 || symbols.listen(descriptor, BACKLOG) < 0) {
    const error = fail();
    symbols.close(descriptor);
    throw error;
  }
  return descriptor;
}
