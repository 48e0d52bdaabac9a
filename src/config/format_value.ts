/** Values as TOML spells them. */
import { isTable } from "./settings.ts";

/** A value as TOML. */
export function formatValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formatValue).join(", ")}]`;
  if (!isTable(value)) return typeof value === "string" ? JSON.stringify(value) : String(value);
  const pairs = Object.entries(value).map(([key, part]) =>
    `${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)} = ${formatValue(part)}`
  );
  return pairs.length === 0 ? "{}" : `{ ${pairs.join(", ")} }`;
}
