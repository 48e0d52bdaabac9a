/** Functions of libc that are opened one by one. */

/**
 * How often a function is called by its address, which takes 1 µs more, before Deno compiles a way into it: that takes
 * 0.3 ms, and of most functions a thread needs a call or two.
 *
 * **Invariant.** Fewer than the calls of a function after which V8 notes whom its call sites call (8, flag
 * `invocation-count-for-feedback-allocation`). One that has seen both ways is polymorphic for ever, so that TurboFan
 * makes no fast call of it: 320 ns for a statx that takes 180, in each request of a server.
 */
export const CALLS_BY_ADDRESS = 4;

type Call = (...args: unknown[]) => unknown;

/**
 * Makes each function of the library at `path`, one that this process has loaded, callable when it is first asked for.
 * What is missing in the library is therefore an error only then. They stay open.
 */
export function openSymbols<const Symbols extends Deno.ForeignLibraryInterface>(
  path: string,
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols>["symbols"] {
  const opened = {};
  for (const name of Object.keys(symbols)) {
    const definition = symbols[name] as Deno.ForeignFunction;
    let byAddress: Call | undefined;
    let calls = 0;
    Object.defineProperty(opened, name, {
      configurable: true,
      enumerable: true,
      get() {
        if (calls++ < CALLS_BY_ADDRESS && (byAddress ??= callByAddress(name, definition)) !== undefined) {
          return byAddress;
        }
        const value = Deno.dlopen(path, { [name]: definition }).symbols[name];
        // From here on it is a property as any other: it costs what it would have cost if all had been opened.
        Object.defineProperty(opened, name, { value, writable: true });
        return value;
      },
    });
  }
  return opened as Deno.DynamicLibrary<Symbols>["symbols"];
}

let dlsym: ((handle: null, name: Uint8Array<ArrayBuffer>) => Deno.PointerValue) | null | undefined;

/** Undefined where that is not possible, or where nothing is compiled anyway. */
function callByAddress(name: string, definition: Deno.ForeignFunction): Call | undefined {
  if (definition.nonblocking) return undefined;
  // In libc since glibc 2.34.
  dlsym ??= Deno.dlopen("libc.so.6", {
    dlsym: { parameters: ["pointer", "buffer"], result: "pointer", optional: true },
  }).symbols.dlsym;
  // A null handle is RTLD_DEFAULT: all that the process has loaded (dlsym(3)).
  const address = dlsym?.(null, new TextEncoder().encode(`${definition.name ?? name}\0`)) ?? null;
  if (address === null) return undefined;
  const pointer = new Deno.UnsafeFnPointer(address as Deno.PointerObject<Deno.ForeignFunction>, definition);
  return (...args) => (pointer.call as Call)(...args);
}
