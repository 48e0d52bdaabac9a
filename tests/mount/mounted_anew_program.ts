/**
 * Keeps a mount as if the kernel could not send requests again, kills its server, and prints as JSON what programs then see
 * (`Seen`). Arguments: the repository's URL, which layer to mount, its options as JSON, and the mountpoint.
 */

/** What is printed. */
export interface Seen {
  /** The error of a file that was open, when it is to be brought to the disk: its writes may be the kernel's own. */
  readonly open: string;
  /** What the mount's folder has, and what can be read from a new file. */
  readonly names: readonly string[];
  readonly text: string;
  readonly server: { readonly restarts: number; readonly mountedAnew: number };
  /** The first line of `cli.ts status`. */
  readonly status: string;
  readonly log: readonly string[];
}

if (import.meta.main) console.log(JSON.stringify(await look(Deno.args as [string, string, string, string])));

async function look([repository, layer, options, mountpoint]: [string, string, string, string]): Promise<Seen> {
  const { mount } = await import(`${repository}src/mount.ts`) as typeof import("../../src/mount.ts");
  const log: string[] = [];
  const module = `${repository}src/layers/${layer}/module.ts`;
  await using kept = await mount({ module, options: JSON.parse(options) }, mountpoint, {
    ...{ process: "separate", control: true, resend: false },
    log: (...words) => void log.push(words.join(" ")),
  });
  await Deno.writeTextFile(`${mountpoint}/old`, "before");
  using open = await Deno.open(`${mountpoint}/old`, { read: true, write: true });
  Deno.kill(kept.server.pid, "SIGKILL");
  for (const until = Date.now() + 180_000; kept.server.mountedAnew === 0;) {
    if (Date.now() > until) throw new Error("The mount was not made anew within three minutes");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Deno.writeTextFile(`${mountpoint}/new`, "after");
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${repository}cli.ts`, "status", mountpoint],
  }).output();
  return {
    open: await open.sync().then(() => "none", (error) => String(error)),
    names: (await Array.fromAsync(Deno.readDir(mountpoint), ({ name }) => name)).sort(),
    text: await Deno.readTextFile(`${mountpoint}/new`),
    server: kept.server,
    status: new TextDecoder().decode(stdout).split("\n")[0]!,
    log,
  };
}
