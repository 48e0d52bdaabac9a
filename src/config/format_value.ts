/** Values as TOML spells them. */
import { isTable } from "./settings.ts";

/** A value as TOML, in one line. */
export function formatValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formatValue).join(", ")}]`;
  if (!isTable(value)) return typeof value === "string" ? quote(value) : String(value);
  const pairs = Object.entries(value).map(([key, part]) =>
    `${/^[\w-]+$/.test(key) ? key : quote(key)} = ${formatValue(part)}`
  );
  return pairs.length === 0 ? "{}" : `{ ${pairs.join(", ")} }`;
}

/** As JSON does, which leaves DEL as it is. */
function quote(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}
