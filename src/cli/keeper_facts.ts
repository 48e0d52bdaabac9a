/** What decides whether a mount has a keeper, as this machine and what is to be mounted have it. */
import { endsWithServer } from "../config/kept_branches.ts";
import type { ProcessWish } from "../config/mount_options.ts";
import { isWithin } from "../fs/branches.ts";
import { kernelResends } from "../connection/kernel_release.ts";
import { deviceDescriptor } from "../connection/mountpoint.ts";
import { join } from "../deps.ts";
import { closeKeptState, createKeptState } from "../kept/kept_state.ts";
import { hasBegunStore } from "../keeper/begun_server.ts";
import { keepable } from "../kept_mount_options.ts";
import { chooseTransport } from "../transport/choice.ts";
import type { KeeperFacts } from "./keeper_choice.ts";
import type { MountPlan } from "./mount_plan.ts";
import { locateMountpoint } from "./mountpoint.ts";

/** Looks at the plan and the machine; at what costs something only when it is asked for. */
export async function examineForKeeper(
  plan: MountPlan,
  mountpoint: string,
  { process: asked, resend }: { readonly process: ProcessWish; readonly resend: boolean },
): Promise<KeeperFacts> {
  const { parts, configuration } = plan;
  const emptied = parts.find(endsWithServer);
  return {
    ...{ asked, resend },
    refusal: asked === "same" ? undefined : await whyUnkeepable(plan, mountpoint),
    emptied: emptied && (configuration === undefined ? "memory" : `memory at "${emptied.path}"`),
    growing: configuration?.growing ?? false,
    inHandler: parts.find(({ placement }) => placement === "handler")?.path,
    kernelResends: kernelResends(),
    opensFiles: parts.some(({ type }) => type !== "memory"),
    get keepsOpenFiles() {
      return keepsOpenFiles();
    },
    get uring() {
      return isOverUring(plan);
    },
  };
}

/** What a keeper refuses, which process=separate names. */
async function whyUnkeepable(
  { placement, settings, configuration }: MountPlan,
  mountpoint: string,
): Promise<string | undefined> {
  if (deviceDescriptor(mountpoint) !== undefined) return "who mounted it would have to keep it";
  if (settings.transport === "uring") return "a keeper has no io_uring: use transport=device";
  try {
    keepable(placement);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return error.message;
  }
  return await whyHidden(mountpoint, configuration?.file);
}

/**
 * The mount hides what lies below it. A keeper that has a file of its own mount open cannot start a server
 * (`src/keeper/keeper.ts`), and a server cannot begin with what it is to serve itself.
 */
async function whyHidden(mountpoint: string, file: string | undefined): Promise<string | undefined> {
  const point = await locateMountpoint(mountpoint);
  for (const path of [file, ...startedFrom()]) {
    const real = path && await Deno.realPath(path).catch(() => path);
    if (real && isWithin(real, point)) return `${path} lies below ${mountpoint}, which would hide it`;
  }
  return undefined;
}

/** Deno, this code, and where Deno keeps code that it has compiled. */
function startedFrom(): string[] {
  const code = import.meta.dirname === undefined ? [] : [import.meta.dirname];
  const caches = Deno.env.get("XDG_CACHE_HOME") ?? join(Deno.env.get("HOME") ?? "/", ".cache");
  return [Deno.execPath(), ...code, Deno.env.get("DENO_DIR") ?? join(caches, "deno")];
}

/** Whether this kernel keeps open files for another server. */
export function keepsOpenFiles(): boolean {
  if (hasBegunStore()) return true;
  const kept = createKeptState();
  closeKeptState(kept);
  return kept.descriptors !== undefined;
}

function isOverUring({ placement, settings }: MountPlan): boolean {
  const { transport: asked = "auto" } = settings;
  const servers = "loops" in placement ? placement.loops ?? 1 : 1;
  const handsOn = "handlersLater" in placement && placement.handlersLater === true;
  return chooseTransport({ asked, placement: "loop", servers, handsOn }).transport === "uring";
}
