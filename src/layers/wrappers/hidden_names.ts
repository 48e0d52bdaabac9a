/** A filesystem in which some names do not exist. */
import { FsError } from "../../fs/errors.ts";
import type { Awaitable, DirectoryEntry, FileSystem, Name } from "../../fs/filesystem.ts";
import { after } from "../support/awaitable.ts";
import { onlyWith, wrapFileSystem } from "../support/wrapping.ts";

type Entries = Iterable<DirectoryEntry> | AsyncIterable<DirectoryEntry>;

/**
 * Wraps `filesystem`: names that match one of `patterns`, in any directory, are not there, and to make one is `EACCES`.
 * A pattern is a glob of one name: `*` any characters, `?` one, `[a-c]` and `[!a-c]` one of a set, `\` takes the next as it
 * is. A directory that holds nothing but hidden names looks empty, and removing it is `ENOTEMPTY`.
 *
 * @throws {TypeError} for a pattern that has a "/", no closing "]" or a range that ends before it begins.
 */
export function hideNames(filesystem: FileSystem, patterns: readonly string[]): FileSystem {
  const expressions = patterns.map((pattern) => {
    const expression = globExpression(pattern);
    if (typeof expression !== "string") return expression;
    throw new TypeError(`Cannot hide names like ${JSON.stringify(pattern)}: ${expression}`);
  });
  const isHidden = (name: Name) => name !== "." && name !== ".." && expressions.some((one) => one.test(name));
  const refuseMaking = (name: Name) => {
    if (isHidden(name)) throw new FsError("EACCES", `Cannot make "${name}": such names are hidden here`);
  };
  const refuseAbsent = (name: Name) => {
    if (isHidden(name)) throw new FsError("ENOENT", `Cannot find "${name}": such names are hidden here`);
  };
  return wrapFileSystem(filesystem, (inner) => {
    const discard = ({ entry }: DirectoryEntry) => entry && inner.forgetLookups?.(entry.node, 1);
    const show = (entry: DirectoryEntry) => {
      if (!isHidden(entry.name)) return true;
      discard(entry);
      return false;
    };
    const list = (entries: Awaitable<Entries>) =>
      after(entries, (listed): Entries => {
        return Symbol.asyncIterator in listed ? filterLater(listed, show) : filterNow(listed, show);
      });
    const { lookup, makeNode, makeDirectory, makeSymbolicLink, create, link, unlink, removeDirectory, rename } = inner;
    const { readDirectory, readDirectoryPlus } = inner;
    return {
      lookup: onlyWith(lookup, (parent, name, context) => isHidden(name) ? undefined : lookup!(parent, name, context)),
      makeNode: onlyWith(makeNode, (parent, name, mode, device, context) => {
        refuseMaking(name);
        return makeNode!(parent, name, mode, device, context);
      }),
      makeDirectory: onlyWith(makeDirectory, (parent, name, mode, context) => {
        refuseMaking(name);
        return makeDirectory!(parent, name, mode, context);
      }),
      makeSymbolicLink: onlyWith(makeSymbolicLink, (parent, name, target, context) => {
        refuseMaking(name);
        return makeSymbolicLink!(parent, name, target, context);
      }),
      create: onlyWith(create, (parent, name, mode, flags, context) => {
        refuseMaking(name);
        return create!(parent, name, mode, flags, context);
      }),
      link: onlyWith(link, (node, newParent, newName, context) => {
        refuseMaking(newName);
        return link!(node, newParent, newName, context);
      }),
      unlink: onlyWith(unlink, (parent, name, context) => {
        refuseAbsent(name);
        return unlink!(parent, name, context);
      }),
      removeDirectory: onlyWith(removeDirectory, (parent, name, context) => {
        refuseAbsent(name);
        return removeDirectory!(parent, name, context);
      }),
      rename: onlyWith(rename, (parent, name, newParent, newName, flags, context) => {
        refuseAbsent(name);
        refuseMaking(newName);
        return rename!(parent, name, newParent, newName, flags, context);
      }),
      readDirectory: onlyWith(
        readDirectory,
        (node, handle, offset, context) => list(readDirectory!(node, handle, offset, context)),
      ),
      readDirectoryPlus: onlyWith(
        readDirectoryPlus,
        (node, handle, offset, context) => list(readDirectoryPlus!(node, handle, offset, context)),
      ),
    };
  });
}

function* filterNow(entries: Iterable<DirectoryEntry>, show: (entry: DirectoryEntry) => boolean) {
  for (const entry of entries) {
    if (show(entry)) yield entry;
  }
}

async function* filterLater(entries: AsyncIterable<DirectoryEntry>, show: (entry: DirectoryEntry) => boolean) {
  for await (const entry of entries) {
    if (show(entry)) yield entry;
  }
}

/** Why `hideNames` would refuse `pattern`; undefined when it would not. */
export function findPatternProblem(pattern: string): string | undefined {
  const expression = globExpression(pattern);
  return typeof expression === "string" ? expression : undefined;
}

/** A glob of one name as a regular expression, or what is wrong with it. */
function globExpression(pattern: string): RegExp | string {
  if (pattern === "" || pattern.includes("/")) return 'a pattern is for one name, without "/"';
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character === "*") source += "[^]*";
    else if (character === "?") source += "[^]";
    else if (character === "[") {
      const end = pattern.indexOf("]", at + (pattern[at + 1] === "!" ? 3 : 2));
      if (end < 0) return 'a "[" is not closed; write "[[]" for the character itself';
      const set = pattern.slice(at + 1, end).replace(/[\\\]^[]/g, "\\$&");
      source += `[${set.startsWith("!") ? `^${set.slice(1)}` : set}]`;
      at = end;
    } else {
      const literal = character === "\\" && at + 1 < pattern.length ? pattern[++at]! : character;
      source += literal.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    }
  }
  try {
    // By code points: the halves of two characters outside the BMP are no range.
    return new RegExp(`^${source}$`, "u");
  } catch {
    // All else that an expression could be wrong in was escaped.
    return 'a range such as "a-z" ends before it begins';
  }
}
