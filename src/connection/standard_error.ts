/**
 * Catches what C code writes to standard error while it runs: libfuse and fusermount3 say there, and only there, why a
 * mount failed. The descriptor is the whole process's, so other threads' lines of those milliseconds are caught too;
 * a caller whose call succeeded passes the text on.
 */
import { MFD_CLOEXEC } from "../../ffi/libc.ts";
import { type Libc, openLibc } from "../../ffi/library.ts";
import { cString } from "../../ffi/memory.ts";

const STANDARD_ERROR = 2;
const MOST = 1 << 14;

/** Runs `call` and returns its result with the text that was written meanwhile, trimmed. */
export function captureStandardError<Result>(call: () => Result): { result: Result; text: string } {
  const libc = openLibc();
  const { symbols } = libc;
  const saved = symbols.dup(STANDARD_ERROR);
  const memory = symbols.memfd_create(cString("trellis-stderr"), MFD_CLOEXEC);
  if (saved < 0 || memory < 0) {
    if (saved >= 0) symbols.close(saved);
    return { result: call(), text: "" };
  }
  symbols.dup2(memory, STANDARD_ERROR);
  try {
    const result = call();
    return { result, text: readAll(libc, memory) };
  } finally {
    symbols.dup2(saved, STANDARD_ERROR);
    symbols.close(saved);
    symbols.close(memory);
  }
}

function readAll({ symbols }: Libc, memory: number): string {
  symbols.lseek(memory, 0n, 0);
  const buffer = new Uint8Array(MOST);
  const length = symbols.read(memory, buffer, buffer.length);
  return new TextDecoder().decode(buffer.subarray(0, Math.max(0, length))).trim();
}
