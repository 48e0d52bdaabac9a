/** `reload`: has the server of a mount read its configuration again and change the tree to be as it says. */
import { CONFIG_NAME } from "../config/template.ts";
import { resolve } from "../deps.ts";
import { ask } from "../control/client.ts";
import { ControlError, type KeyDifference, readReloadReport, RELOAD_DEADLINE } from "../control/messages.ts";
import type { ReloadReport } from "../control/messages.ts";
import type { Command, Given } from "../command_line/command.ts";
import { findMountpoint } from "./configurations.ts";
import type { FailureKind } from "./exit_codes.ts";
import { Failure } from "./failure.ts";
import { findControlSocket } from "./mount_status.ts";
import { locateMountpoint, refuseEmptyPath } from "./mountpoint.ts";
import { CONFIG_OPTION, JSON_OPTION } from "./shared_options.ts";

/** The command. */
export const COMMAND: Command = {
  name: "reload",
  summary: "make a mounted tree as its configuration says now",
  description:
    "Have the server of the mount at MOUNTPOINT, or at the mount.point of a configuration, read its file again; the tree " +
    "of `run` too, while the program goes on. Prints " +
    "what is different, and then adds, removes and replaces branches: all of them, or none.",
  arguments: [["[mountpoint]", "where the tree is mounted"]],
  options: [
    { ...CONFIG_OPTION, description: `its configuration; ${CONFIG_NAME} of the current folder when nothing is named` },
    { name: "dry-run", letter: "n", description: "only print what is different" },
    { name: "lazy", description: "let what is open in branches that go live until it is closed (else it is ESTALE)" },
    JSON_OPTION,
  ],
  after:
    "Ends with 9 when the configuration has problems, with 11 when something cannot change while mounted or the change " +
    "fails, and the tree is then as it was; also with --dry-run.",
  run: reload,
};

async function reload({ words: [path], value, has }: Given): Promise<void> {
  const dryRun = has("dry-run");
  const { mountpoint, file } = await findTree(path, value("config"));
  const socket = await findControlSocket(mountpoint, "reload");
  const report = await askToReload(socket, mountpoint, { file, dryRun, lazy: has("lazy") });
  console.log(has("json") ? JSON.stringify(report, null, 2) : describe(report, dryRun));
  refuse(report);
}

/** Where the tree is mounted, and the configuration's file when that was named. */
async function findTree(
  path: string | undefined,
  config: string | undefined,
): Promise<{ mountpoint: string; file?: string }> {
  refuseEmptyPath(path, "reload the mount at");
  if (path !== undefined && config !== undefined) {
    throw new Failure(
      "USAGE",
      "Cannot use a mountpoint and --config: the mount knows its configuration; name one of them",
    );
  }
  if (path !== undefined) return { mountpoint: await locateMountpoint(path) };
  const file = config ?? CONFIG_NAME;
  const point = await findMountpoint(file);
  if (point === undefined) {
    throw new Failure("USAGE", `Cannot reload ${file}: it has no mount.point; name the mountpoint instead`);
  }
  return { mountpoint: await locateMountpoint(point), file: resolve(Deno.cwd(), file) };
}

async function askToReload(
  socket: string,
  mountpoint: string,
  request: { file?: string | undefined; dryRun: boolean; lazy: boolean },
): Promise<ReloadReport> {
  try {
    return readReloadReport(await ask(socket, "reload", RELOAD_DEADLINE, request));
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    const { code, message } = error;
    const reason = code === "command" ? "it was not mounted by `mount` or `run` from a configuration" : message;
    throw new Failure(FAILURES[code] ?? "NO_ANSWER", `Cannot reload ${mountpoint}: ${reason}`, { cause: error });
  }
}

const FAILURES: Partial<Record<ControlError["code"], FailureKind>> = { command: "USAGE", failed: "UNCHANGED" };

/** The report, for people. */
function describe(
  { mountpoint, problems, branches, fixed, applied, opened, late }: ReloadReport,
  dryRun: boolean,
): string {
  if (problems.length > 0) return problems.join("\n");
  if (branches.length + fixed.length === 0) return `Nothing differs at ${mountpoint}`;
  const lines = [
    ...branches.flatMap(({ change, path, type, loss, keys }) => [
      `${SIGNS[change]} ${path} (${type}): ${change}${loss === undefined ? "" : `; ${loss}`}`,
      ...keys.map((key) => `    ${spell(key)}`),
    ]),
    ...fixed.map(({ advice, ...key }) => `! ${spell(key)}: ${advice}`),
  ];
  const left = opened === 0 ? "" : `; ${opened} files and directories of what went were open`;
  if (applied) return [...lines, late ?? `Changed ${mountpoint}${left}`].join("\n");
  return [...lines, dryRun ? "Nothing was changed: a dry run" : "Nothing was changed"].join("\n");
}

const SIGNS = { added: "+", removed: "-", replaced: "~" } as const;

function spell({ key, before, after }: KeyDifference): string {
  if (before === undefined && after === undefined) return key;
  return `${key}: ${before ?? "unset"} -> ${after ?? "unset"}`;
}

/** What is not as it should be decides the exit code. */
function refuse({ mountpoint, file, problems, fixed }: ReloadReport): void {
  if (problems.length > 0) throw new Failure("CONFIG", `Cannot reload ${mountpoint}: ${file} has problems, see above`);
  if (fixed.length === 0) return;
  const keys = fixed.map(({ key }) => key).join(", ");
  throw new Failure("UNCHANGED", `Cannot reload ${mountpoint}: ${keys} cannot change while it is mounted`);
}
