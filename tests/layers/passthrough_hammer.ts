/** A worker that is one loop of a passthrough filesystem and uses the same few files as all others, as fast as it can. */
import { FsError } from "../../src/fs/errors.ts";
import { ROOT_NODE } from "../../src/fs/filesystem.ts";
import { O_RDONLY } from "../../src/fs/flags.ts";
import makeFileSystem from "../../src/layers/passthrough/module.ts";
import type { PassthroughFileSystem } from "../../src/layers/passthrough/passthrough_file_system.ts";
import type { Source } from "../../src/layers/passthrough/source.ts";
import { requestContext } from "../support/request_context.ts";

declare const self: {
  onmessage: (event: MessageEvent<HammerJob>) => void;
  postMessage(message: HammerReport): void;
};

const context = requestContext();

export interface HammerJob {
  source: string;
  shared: Source;
  loop: number;
  loops: number;
  rounds: number;
  files: number;
}

/** Rounds done, and what went otherwise than it should have. */
export interface HammerReport {
  rounds: number;
  wrong: string[];
}

/** Looks a file up, uses it, lets go of it; returns what was wrong. */
function useOnce(filesystem: PassthroughFileSystem, name: string, round: number, loop: number): string | undefined {
  let node: number | undefined;
  try {
    const entry = filesystem.lookup(ROOT_NODE, name, context);
    // Another loop is just renaming it there and back.
    if (entry === undefined) return;
    node = entry.node;
    const { inode } = entry.attributes;
    if (filesystem.getAttributes(node, undefined).inode !== inode) return "another inode";
    if (round % 8 === 0) {
      const handle = filesystem.open(node, O_RDONLY, context).handle!;
      const opened = filesystem.getAttributes(node, handle).inode;
      filesystem.release(node, handle);
      if (opened !== inode) return "another file opened";
    }
    if (round % 16 === 0) {
      filesystem.rename(ROOT_NODE, name, ROOT_NODE, `${name}-${loop}`, 0, context);
      filesystem.rename(ROOT_NODE, `${name}-${loop}`, ROOT_NODE, name, 0, context);
    }
  } catch (error) {
    return error instanceof FsError ? error.code : String(error);
  } finally {
    if (node !== undefined) filesystem.forgetLookups(node, 1);
  }
}

function hammer({ source, shared, loop, loops, rounds, files }: HammerJob): HammerReport {
  const filesystem = makeFileSystem({ source }, { loop, loops, shared });
  const wrong: string[] = [];
  let seed = loop + 1;
  for (let round = 0; round < rounds; round++) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    const name = `${(seed >>> 8) % files}`;
    const mistakes = useOnce(filesystem, name, round, loop);
    if (mistakes !== undefined) wrong.push(`${name}: ${mistakes}`);
  }
  filesystem.destroy();
  return { rounds, wrong };
}

self.onmessage = ({ data }) => self.postMessage(hammer(data));
