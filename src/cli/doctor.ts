/** `doctor`: what this machine can do, and why not. */
import type { Command } from "../command_line/command.ts";
import { Failure } from "./failure.ts";
import { examine, type Findings } from "./findings.ts";
import { JSON_OPTION } from "./shared_options.ts";

/** The command. */
export const COMMAND: Command = {
  name: "doctor",
  summary: "show whether this machine can mount",
  description: "Show what this machine has for mounting, and what is missing. Mounts for a moment to ask the kernel.",
  options: [
    {
      ...{ name: "source", value: "<directory>" },
      description: "also say whether the kernel can read and write this directory's files by itself",
    },
    JSON_OPTION,
  ],
  after: "Ends with 0 when mounting can work, otherwise with 3.",
  run: ({ value, has }) => doctor(value("source"), has("json")),
};

async function doctor(source: string | undefined, json: boolean): Promise<void> {
  const findings = await examine(source);
  console.log(json ? JSON.stringify(findings, (_key, value) => value ?? null, 2) : describe(findings));
  if (!findings.canMount) throw new Failure("ENVIRONMENT", "This machine cannot mount as it is");
}

function describe(findings: Findings): string {
  const rows = describeRows(findings);
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, text]) =>
    `${name.padEnd(width)}  ${text.replaceAll("\n", "\n" + " ".repeat(width + 2))}`
  );
  const problems = findings.problems.map((problem) => `  - ${problem.replaceAll("\n", "\n    ")}`);
  const verdict = findings.canMount ? "This machine can mount." : ["Mounting cannot work:", ...problems].join("\n");
  return [...lines, "", verdict].join("\n");
}

function describeRows({ deno, libfuse, fusermount, device, kernel, ...rest }: Findings): [string, string][] {
  const tried = `tried ${libfuse.tried.join(", ")}`;
  const mounts = rest.staleMounts.map(({ mountpoint, type, state }) => `${mountpoint} (${type}): ${state}`);
  return [
    ["Deno", deno.version],
    ["libfuse", libfuse.path === undefined ? `not found; ${tried}` : `${libfuse.version}, ${libfuse.path} (${tried})`],
    [
      "fusermount3",
      fusermount === undefined ? "not found: only root can mount" : `${fusermount.version}, ${fusermount.path}` +
        (fusermount.setuid ? "" : " (not set-user-id: only root can mount)"),
    ],
    [
      "/dev/fuse",
      (device.mode === undefined ? "not there" : `mode ${device.mode}`) + (device.problem ? "" : ", opens"),
    ],
    ["user_allow_other", rest.userAllowOther ? "yes" : "no: only root may use allow_other (/etc/fuse.conf)"],
    ["kernel", kernel.release],
    ["FUSE", kernel.fuse === undefined ? "not tried" : `7.${kernel.fuse.minor}\n${wrap(kernel.fuse.features)}`],
    [
      "io_uring",
      rest.uring.usable
        ? "yes: taken where each core has a loop (-o transport=auto), or asked for (transport=uring)"
        : `no: ${rest.uring.reason}`,
    ],
    ["idle cores", describeIdleCores(rest.idleCores)],
    ["kernel passthrough", describePassthrough(rest.kernelPassthrough)],
    ["process=separate", describeSeparateProcess(rest.separateProcess)],
    ["process=auto", describeDefault(rest.keeperByDefault)],
    ["stale mounts", mounts.length === 0 ? "none" : mounts.join("\n")],
  ];
}

function describeIdleCores({ governor, waits, advice }: Findings["idleCores"]): string {
  if (advice !== undefined) return `halted at once, so that each request takes several times as long\n(${advice})`;
  if (waits !== undefined) return `wait up to ${waits} µs for work before they are halted`;
  return governor === undefined ? "halted as the machine has it" : `halted as the governor "${governor}" has it`;
}

function describePassthrough({ usable, reason, source }: Findings["kernelPassthrough"]): string {
  if (!usable) return `no: ${reason}`;
  if (source !== undefined) return `yes, of ${source}`;
  return "yes, of sources on local filesystems (doctor --source DIRECTORY says of which);\n" +
    "not with the mount options writeback and no_kernel_passthrough";
}

function describeSeparateProcess({ usable, reason, limitation }: Findings["separateProcess"]): string {
  if (!usable) return `no: ${reason}`;
  return limitation === undefined ? "yes: a mount can outlive its server" : `yes, but ${limitation}`;
}

function describeDefault({ separate, reason }: Findings["keeperByDefault"]): string {
  return separate ? "a mount of a directory has a keeper" : `a mount of a directory has no keeper: ${reason}`;
}

/** Words in lines of at most 80 characters. */
function wrap(words: readonly string[]): string {
  return words.join(" ").match(/.{1,80}(?: |$)/g)?.map((line) => line.trimEnd()).join("\n") ?? "";
}
