/** The kernel's table of mounts (proc_pid_mountinfo(5)), and what it says of a path. */

/** One mount. */
export interface MountEntry {
  /** `major:minor` of its `st_dev`; for FUSE the minor is the connection's number in /sys/fs/fuse/connections. */
  readonly device: string;
  readonly mountpoint: string;
  /** As in `fuse.trellis`. */
  readonly type: string;
  /** What was mounted: `fsname`. */
  readonly source: string;
  /** The filesystem's own options, such as `user_id=1000`. */
  readonly options: readonly string[];
}

/** The type of mounts that Trellis makes, unless another subtype was asked for. */
export const TRELLIS_TYPE = "fuse.trellis";

/** Parses the text of /proc/self/mountinfo. */
export function parseMountTable(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    // Optional fields stand between the sixth and a lone hyphen.
    const hyphen = fields.indexOf("-", 6);
    if (hyphen < 0) continue;
    entries.push({
      device: fields[2]!,
      mountpoint: unescape(fields[4]!),
      type: fields[hyphen + 1] ?? "",
      source: unescape(fields[hyphen + 2] ?? ""),
      options: (fields[hyphen + 3] ?? "").split(","),
    });
  }
  return entries;
}

/** Space, tab, newline and backslash stand as octal escapes. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** A path as the table writes it. */
export function spellMountpoint(mountpoint: string): string {
  return mountpoint.replace(
    /[ \t\n\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}

/** All mounts that this process sees. */
export async function readMountTable(): Promise<MountEntry[]> {
  return parseMountTable(await Deno.readTextFile("/proc/self/mountinfo"));
}

/** The topmost mount at exactly `mountpoint`, or undefined. */
export async function findMount(mountpoint: string): Promise<MountEntry | undefined> {
  const entries = await readMountTable();
  return entries.findLast((entry) => entry.mountpoint === mountpoint);
}

/** As {@linkcode findMount}, without giving others a turn. */
export function findMountNow(mountpoint: string): MountEntry | undefined {
  return parseMountTable(Deno.readTextFileSync("/proc/self/mountinfo"))
    .findLast((entry) => entry.mountpoint === mountpoint);
}
