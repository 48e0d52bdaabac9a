/** What the tests share in which servers die in the midst of a request, and the next ones get it again. */
import { FsError } from "../../src/fs/errors.ts";
import type { RequestContext } from "../../src/fs/filesystem.ts";
import { requestContext } from "./request_context.ts";

/** How a server finds nodes of the one before. */
export const WAYS = ["by handle", "by name"] as const;

/** At which points servers die: of the request, of the next server's beginning, of the request when it comes again. */
export interface Deaths {
  readonly request: number;
  readonly beginning?: number | undefined;
  readonly again?: number | undefined;
}

const caller = requestContext();
let requests = 100;

/** A request's context, with a number of its own. */
export function nextContext(): RequestContext {
  return { ...caller, unique: requests += 2 };
}

/** What a request is answered, or the name of its error. */
export function answerOf(act: () => unknown): unknown {
  try {
    // The filesystem uses its objects again.
    return structuredClone(act());
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
}

/** What the caller gets, but for numbers and times. */
export function describeAnswer(answer: unknown): unknown {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) return answer;
  const { entry, attributes, opened, handle, mode, size, links } = answer as Record<string, unknown>;
  if (mode !== undefined) return { mode, size, links };
  return {
    entry: describeAnswer(entry),
    attributes: describeAnswer(attributes),
    opened: opened !== undefined || handle !== undefined,
  };
}

/** All that is in a directory of the host, but for numbers and times. */
export function describeTree(directory: string): unknown[] {
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  return names.map((name) => {
    const path = `${directory}/${name}`;
    const { mode, nlink, gid, isFile, isDirectory, isSymlink } = Deno.lstatSync(path);
    const content = isDirectory ? describeTree(path) : isSymlink ? Deno.readLinkSync(path) : undefined;
    return { name, mode, nlink, gid, content: isFile ? Deno.readTextFileSync(path) : content };
  });
}

/** The descriptors that this process has open. */
export function openNumbers(): Set<number> {
  return new Set([...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name)));
}
