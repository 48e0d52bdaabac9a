/** Programs that work in a tree while branches of it come and go. */
import { assert, assertEquals } from "../deps.ts";
import { temporaryFolder } from "./cli_process.ts";
import { run, shell } from "./command.ts";
import { waitFor } from "./mounted.ts";

/** What one does in a loop: any error but those that a branch that is gone may give is printed. */
const PROGRAM = `
  const allowed = ["ENOENT", "EROFS", "ENOTDIR", "EXDEV", "EEXIST", "ENOTEMPTY", "EBUSY"];
  const [, , root, stop] = process.argv;
  const fs = require("fs");
  // ESTALE, for which node has no word.
  const isStale = ({ errno, message }) => errno === -116 || message.includes("os error 116");
  const attempt = (action) => {
    try { action() } catch (error) {
      if (!allowed.includes(error.code) && !isStale(error)) console.log(error);
    }
  };
  let turns = 0;
  while (!fs.existsSync(stop)) {
    for (const branch of ["", "/one", "/way/two"]) {
      const path = root + branch + "/load-" + process.pid;
      attempt(() => fs.mkdirSync(path));
      attempt(() => fs.writeFileSync(path + "/file", "x".repeat(5000)));
      attempt(() => fs.readFileSync(path + "/file"));
      attempt(() => fs.readdirSync(root + branch, { withFileTypes: true }));
      attempt(() => fs.renameSync(path + "/file", path + "/renamed"));
      attempt(() => fs.copyFileSync(path + "/renamed", root + "/copy-" + process.pid));
      attempt(() => fs.rmSync(path, { recursive: true }));
    }
    turns++;
  }
  console.error(turns);
`;

/** Programs at work. */
export interface Load {
  /** Ends them. Fails when one saw an error that it should not have seen, or did nothing. */
  end(): Promise<void>;
}

/**
 * Starts two programs that work in the tree at `root`, and at "/one" and "/way/two" of it when they are there. Returns
 * when both are at work; then each has left a file "copy-…" in the root. They are to be ended within `deadline` seconds.
 */
export async function startLoad(root: string, deadline: number = 900): Promise<Load> {
  const folder = await temporaryFolder();
  const stop = `${folder.path}/stop`;
  await Deno.writeTextFile(`${folder.path}/load.cjs`, PROGRAM);
  const command = [Deno.execPath(), "run", "-A", "--no-lock", `${folder.path}/load.cjs`, root, stop];
  const load = Promise.all([1, 2].map(() => run(command, { deadline })));
  await waitFor("the load", async () => (await shell(`ls ${root}`)).stdout.split("copy-").length === 3);
  return {
    async end() {
      await Deno.writeTextFile(stop, "");
      const outcomes = await load;
      await folder[Symbol.asyncDispose]();
      for (const { stdout, stderr } of outcomes) {
        assertEquals(stdout, "");
        assert(Number(stderr) > 0, "nothing was done meanwhile");
      }
    },
  };
}
