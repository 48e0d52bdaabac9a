/** What is wrong with a path that could not be used, in words. */

/** Of any path, whatever was to be done with it. */
const COMMON: Readonly<Record<string, string>> = {
  ELOOP: "the path goes round in symbolic links",
  ENAMETOOLONG: "the path is too long",
  ENOTCONN: "it is in a mount whose server is gone; unmount that first",
};

/** What an error of the system's says of a path: by `reasons` or as of any. Undefined for an error that nobody foresaw. */
export function pathProblem(error: unknown, reasons: Readonly<Record<string, string>>): string | undefined {
  const code = (error as { code?: string }).code ?? "";
  return reasons[code] ?? COMMON[code];
}
