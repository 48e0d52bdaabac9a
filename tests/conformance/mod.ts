/** One suite for every filesystem, written over a directory: what POSIX and Linux promise about files. */

import { PosixClient } from "../support/posix_client.ts";
import { ALICE, type Scene, type Subject, type Test } from "./subject.ts";
import { attributes } from "./attributes.ts";
import { concurrency } from "./concurrency.ts";
import { directories } from "./directories.ts";
import { directoryReading } from "./directory_reading.ts";
import { errors } from "./errors.ts";
import { extendedAttributes } from "./extended_attributes.ts";
import { files } from "./files.ts";
import { handlesAfterUnlink } from "./handles_after_unlink.ts";
import { links } from "./links.ts";
import { locks } from "./locks.ts";
import { mapping } from "./mapping.ts";
import { names } from "./names.ts";
import { opening } from "./opening.ts";
import { ownership } from "./ownership.ts";
import { permissions } from "./permissions.ts";
import { rename } from "./rename.ts";
import { sparse } from "./sparse.ts";
import { specialFiles } from "./special_files.ts";
import { statistics } from "./statistics.ts";
import { sticky } from "./sticky.ts";
import { temporaryFiles } from "./temporary_files.ts";
import { times } from "./times.ts";

const SUBJECTS: Readonly<Record<string, Subject>> = {
  "files": files,
  "opening": opening,
  "sparse files": sparse,
  "directories": directories,
  "reading directories": directoryReading,
  "links": links,
  "rename": rename,
  "attributes": attributes,
  "ownership": ownership,
  "times": times,
  "permissions": permissions,
  "sticky directories": sticky,
  "extended attributes": extendedAttributes,
  "names": names,
  "errors": errors,
  "temporary files": temporaryFiles,
  "handles after unlink": handlesAfterUnlink,
  "special files": specialFiles,
  "locks": locks,
  "mapping": mapping,
  "statistics": statistics,
  "concurrency": concurrency,
};

export interface ConformanceOptions {
  /** Tests that cannot hold here, by their name, each with the reason. */
  skip?: readonly { test: string; reason: string }[];
  /** Whether the suite's processes are root. If not and this process is, they become another user. */
  root: boolean;
}

/**
 * Runs every subject as a step of `t`, each test in a fresh directory below `directory`. Only other processes touch
 * the directory: it may be a mount that this process serves. It and the directories above must be open to every user
 * (mode 0o755), and it must be writable for the suite's processes: when `root` is false and this process is root,
 * that is the user and group 65534.
 */
export async function conformance(
  t: Deno.TestContext,
  directory: string,
  options: ConformanceOptions,
): Promise<void> {
  const skipped = new Map(options.skip?.map(({ test, reason }) => [test, reason]));
  for (const [subjectName, subject] of Object.entries(SUBJECTS)) {
    await t.step(subjectName, async (t) => {
      for (const [name, test] of Object.entries(subject)) {
        const reason = skipped.get(name) ?? reasonToSkip(test, options);
        skipped.delete(name);
        await t.step({
          name: reason === undefined ? name : `${name} (skipped: ${reason})`,
          ignore: reason !== undefined,
          fn: () => runInFreshDirectory(test, directory, options),
        });
      }
    });
  }
  if (skipped.size > 0) throw new Error(`To be skipped, but there is no such test: ${[...skipped.keys()].join(", ")}`);
}

function reasonToSkip(test: Test, options: ConformanceOptions): string | undefined {
  return test.needs === "root" && !options.root ? "needs root" : undefined;
}

let directoriesMade = 0;

async function runInFreshDirectory(test: Test, parent: string, options: ConformanceOptions): Promise<void> {
  const own = !options.root && Deno.uid() === 0 ? ALICE : undefined;
  const directory = `${parent}/${Deno.pid}-${++directoriesMade}`;
  await using client = await PosixClient.start(own);
  await client.mkdir(directory, 0o755);
  await client.chdir(directory);
  const start: Scene["start"] = async (identity) => {
    const another = await PosixClient.start(identity ?? own);
    await another.chdir(directory);
    return another;
  };
  await test.run({ client, directory, start });
  await client.chdir(parent);
  await client.removeTree(directory);
}
