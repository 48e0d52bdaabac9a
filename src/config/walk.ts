/** Finds the part of a schema that a path leads to, through what wraps it. */
import { z } from "./deps.ts";
import type { KeyPath } from "./toml.ts";

/** The schema without what makes it optional, gives it a default or transforms it. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.def.innerType);
  }
  return schema instanceof z.ZodPipe ? unwrap(schema.def.in) : schema;
}

/** The schema of what stands at `path` of `value`, or undefined where there is none. */
export function schemaAt(schema: z.core.$ZodType, value: unknown, path: KeyPath): z.core.$ZodType | undefined {
  const bare = variantOf(unwrap(schema), value);
  const [key, ...rest] = path;
  if (key === undefined) return bare;
  const part = bare instanceof z.ZodArray ? bare.element : shapeOf(bare)[key];
  return part && schemaAt(part, (value as Record<string | number, unknown> | undefined)?.[key], rest);
}

/** The keys of a table and their schemas; none of anything else. */
export function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> {
  return schema instanceof z.ZodObject ? schema.shape : {};
}

function variantOf(schema: z.core.$ZodType, value: unknown): z.core.$ZodType {
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return schema;
  const type = (value as { type?: unknown } | undefined)?.type;
  return schema.options.find((option) => (shapeOf(option)["type"] as z.ZodLiteral | undefined)?.value === type) ??
    schema;
}
