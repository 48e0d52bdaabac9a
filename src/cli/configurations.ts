/** What reads configurations, and plans their trees: half of the tool's modules, so loaded only where there is one. */

/** Deno does not see which module this is: of an `import()` that names its module it reads all files at the start. */
export function loadConfigurations(): Promise<typeof import("../config/mod.ts")> {
  return import(import.meta.resolve("../config/mod.ts"));
}
