/** Who is at the other end of a Unix socket, as the kernel says (SO_PEERCRED in unix(7)). */
import type { Socket } from "node:net";
import { openLibc } from "../../ffi/library.ts";

// asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** struct ucred: pid, uid, gid */
const UCRED_WORDS = 3;

/** The user who connected. Undefined when the kernel does not say: then nobody is to be trusted. */
export function peerUid(socket: Socket): number | undefined {
  // Node's own place for a socket's descriptor; Deno.UnixConn has none that can be reached.
  const { fd } = (socket as unknown as { _handle?: { fd?: number } })._handle ?? {};
  if (fd === undefined || fd < 0) return undefined;
  const credentials = new Uint32Array(UCRED_WORDS);
  const length = new Uint32Array([credentials.byteLength]);
  const { getsockopt } = openLibc().symbols;
  const bytes = (words: Uint32Array<ArrayBuffer>) => new Uint8Array(words.buffer);
  const result = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes(credentials), bytes(length));
  return result === 0 && length[0] === credentials.byteLength ? credentials[1] : undefined;
}
