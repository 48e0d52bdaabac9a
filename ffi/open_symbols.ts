/** Functions of a library that are opened one by one. */

/**
 * Makes a function of the library at `path` callable when it is first asked for: for each of them Deno compiles a way
 * into C, which takes 0.3 ms, and a thread uses few. What is missing in the library is therefore an error only then.
 * They stay open.
 */
export function openSymbols<const Symbols extends Deno.ForeignLibraryInterface>(
  path: string,
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols>["symbols"] {
  const opened = {};
  for (const name of Object.keys(symbols)) {
    Object.defineProperty(opened, name, {
      configurable: true,
      enumerable: true,
      get() {
        const value = Deno.dlopen(path, { [name]: symbols[name]! }).symbols[name];
        // From here on it is a property as any other: it costs what it would have cost if all had been opened.
        Object.defineProperty(opened, name, { value, writable: true });
        return value;
      },
    });
  }
  return opened as Deno.DynamicLibrary<Symbols>["symbols"];
}
