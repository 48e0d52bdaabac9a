/** Why a machine does not let this user make namespaces, and what to do about it. */

/** A setting of the kernel that forbids user namespaces, and for which value. */
interface Setting {
  readonly path: string;
  forbids(value: string): boolean;
  readonly cure: string;
}

const SETTINGS: readonly Setting[] = [
  {
    // Debian's and Ubuntu's own.
    path: "/proc/sys/kernel/unprivileged_userns_clone",
    forbids: (value) => value === "0",
    cure: "sysctl kernel.unprivileged_userns_clone=1",
  },
  {
    // user_namespaces(7)
    path: "/proc/sys/user/max_user_namespaces",
    forbids: (value) => value === "0",
    cure: "sysctl user.max_user_namespaces=15000",
  },
  {
    // Ubuntu 23.10 and newer; a profile for bwrap is the narrower cure.
    path: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    forbids: (value) => value === "1",
    cure: "an AppArmor profile that lets bwrap have them (`userns,`), or " +
      "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
  },
];

/** The settings that forbid namespaces here, each as a sentence with its cure; none when nothing is found. */
export async function explainForbiddenNamespaces(
  read: (path: string) => Promise<string> = Deno.readTextFile,
): Promise<string[]> {
  const found = await Promise.all(SETTINGS.map(async ({ path, forbids, cure }) => {
    const value = await read(path).then((text) => text.trim(), () => undefined);
    return value !== undefined && forbids(value) ? [`${path} is ${value}; as root: ${cure}`] : [];
  }));
  return found.flat();
}
