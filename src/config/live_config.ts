/** The configuration of a live mount: read again, compared with what is mounted, and the tree changed as it says. */
import { resolve } from "node:path";
import type { ReloadReport, ReloadRequest } from "../control/messages.ts";
import { FsError } from "../fs/errors.ts";
import type { BranchStep, ChangedBranches, RemovalOptions } from "../fs/branches.ts";
import type { BranchOptions } from "./branch_module.ts";
import { countSharers } from "./branch_module.ts";
import type { BranchConfig, Config } from "./config.ts";
import { compareConfigs, type Differences, type LiveMount } from "./differences.ts";
import { loadConfig, type LoadOptions } from "./load.ts";
import { ConfigError } from "./problems.ts";

const MODULE = new URL("./branch_module.ts", import.meta.url);

/** What a mount was made of. */
export interface LiveConfigOptions {
  readonly config: Config;
  /** The flags that had a say. */
  readonly flags: NonNullable<LoadOptions["flags"]>;
  readonly live: LiveMount;
}

/** The mount, as far as its branches go. */
export interface ChangingMount {
  readonly mountpoint: string;
  changeBranches(steps: readonly BranchStep[], options: RemovalOptions): Promise<Pick<ChangedBranches, "opened">>;
}

export class LiveConfig {
  readonly #file: string;
  readonly #flags: LiveConfigOptions["flags"];
  readonly #live: LiveMount;
  /** As the tree is now. */
  #config: Config;
  /** The reload that is at work; the next waits for it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ config, flags, live }: LiveConfigOptions) {
    this.#config = config;
    this.#flags = flags;
    this.#live = live;
    // The folder of the process does not change, but what its name means may.
    this.#file = resolve(config.file);
  }

  /**
   * Reads the file again and, unless it is a dry run, changes the tree of `mount` to be as it says. What is wrong with it
   * is in the report, and changes nothing.
   *
   * @throws {FsError} when the mount was made of another file, or the change cannot be made; the tree is as it was.
   */
  reload(mount: ChangingMount, request: ReloadRequest): Promise<ReloadReport> {
    const turn = this.#turn.then(() => this.#reload(mount, request));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #reload(mount: ChangingMount, { file, dryRun, lazy }: ReloadRequest): Promise<ReloadReport> {
    const { mountpoint } = mount;
    if (file !== undefined && file !== this.#file) {
      throw new FsError("EINVAL", `Cannot reload ${mountpoint} from ${file}: it was mounted from ${this.#file}`);
    }
    const report = { mountpoint, file: this.#file, problems: [], branches: [], fixed: [], applied: false, opened: 0 };
    const config = await this.#load();
    if (config instanceof ConfigError) {
      return { ...report, problems: config.problems.map(({ where, message }) => `${where}: ${message}`) };
    }
    const differences = compareConfigs(this.#config, config, this.#live);
    if (dryRun || differences.fixed.length > 0) return { ...report, ...differences };
    const change = await this.#apply(mount, config, differences, lazy);
    this.#config = config;
    return { ...report, ...differences, applied: true, ...change };
  }

  async #load(): Promise<Config | ConfigError> {
    try {
      return await loadConfig(this.#file, { flags: this.#flags, mounted: this.#config.branches });
    } catch (error) {
      if (error instanceof ConfigError) return error;
      throw error;
    }
  }

  async #apply(mount: ChangingMount, { branches }: Config, { branches: differences }: Differences, lazy: boolean) {
    if (differences.length === 0) return { opened: 0 };
    const sharers = countSharers(branches);
    const steps = differences.map(({ change, path }): BranchStep => {
      if (change === "removed") return { action: "prune", path };
      const branch = branches.find((branch) => branch.path === path) as BranchConfig;
      const options: BranchOptions = { branch, sharers };
      const { placement = "loop" } = branch;
      return { action: change === "added" ? "graft" : "replace", path, branch: { module: MODULE, options, placement } };
    });
    try {
      const { opened } = await mount.changeBranches(steps, { lazy });
      return { opened };
    } catch (error) {
      if (error instanceof FsError && error.code === "EINPROGRESS") return { opened: 0, late: error.message };
      throw explain(error);
    }
  }
}

/** What the tree says of features, in words of configurations. */
function explain(error: unknown): unknown {
  if (!(error instanceof FsError) || error.code !== "EOPNOTSUPP") return error;
  const advice = "unmount and mount again; with mount.growing = true such branches can come later";
  return new FsError(error.code, `${error.message.split(";")[0]}; ${advice}`, { cause: error });
}
