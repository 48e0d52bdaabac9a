/** C strings, pointers and errno: the little that foreign memory needs everywhere. */

const encoder = new TextEncoder();

/** `text` as a zero-terminated C string. It lives as long as the array is referenced. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text + "\0");
}

/** The address of `buffer` as C sees it. The caller keeps the buffer alive while C may use it. */
export function addressOf(buffer: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)));
}

/** The string at a `const char *` that C returned; empty for NULL. */
export function stringAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

/** A view of the `int` that `__errno_location` points to. It belongs to the thread that asked. */
export function errnoView(location: Deno.PointerValue): Int32Array {
  if (location === null) throw new Error("Cannot find errno: __errno_location returned NULL");
  return new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, 4));
}

/** `buffer`'s place in memory, for C that takes nothing but a pointer. */
export function pointerTo(buffer: Uint8Array<ArrayBuffer>): Deno.PointerObject {
  return Deno.UnsafePointer.of(buffer)!;
}

/** The memory at `pointer`, `length` bytes of it. Whoever unmaps it lets nobody use the buffer any more. */
export function memoryAt(pointer: Deno.PointerObject, length: number): ArrayBuffer {
  return Deno.UnsafePointerView.getArrayBuffer(pointer, length);
}

/** Whether `pointer` is what mmap returns when it fails: `MAP_FAILED`, (void *) -1. */
export function isMapFailed(pointer: Deno.PointerValue): pointer is null {
  return pointer === null || BigInt.asIntN(64, BigInt(Deno.UnsafePointer.value(pointer))) === -1n;
}
