/** Which kernel this is, for what it does not tell otherwise. */

/** Whether a kernel's release, as uname(2) says it (`6.12.94-amd64`), is this one or a later one; no other text is. */
export function isKernelFrom(major: number, minor: number, release: string = Deno.osRelease()): boolean {
  const [itsMajor = 0, itsMinor = 0] = release.split(".").map((part) => parseInt(part));
  return itsMajor > major || (itsMajor === major && itsMinor >= minor);
}
