/**
 * What the keeper of a tree holds after many deaths of its servers is what it held after few: descriptors, processes,
 * shared memory, its own memory, the kernel's connection. `TRELLIS_DEATHS` says how many (default 10; a thousand take ten
 * minutes and more).
 */
import { assert, assertEquals } from "../deps.ts";
import { NO_CONTROL, openConnectionControl } from "../support/connection_control.ts";
import { keptFiles, NO_STORE, testKept } from "../support/kept_source.ts";
import { keepTree, type KeptTree, THREE } from "../support/kept_tree.ts";
import { waitFor } from "../support/mounted.ts";
import { killServer, serversOf } from "../support/server_killer.ts";

const DEATHS = Number(Deno.env.get("TRELLIS_DEATHS") ?? 10);

/** So many before the first look: what Deno opens once and keeps. */
const FIRST_DEATHS = 3;

const MIB = 2 ** 20;

/** How much more memory of its own a keeper may take after all deaths: what Deno keeps of each process is garbage at times. */
const MOST_GROWTH = 40 * MIB;

interface Held {
  /** The keeper's pipes, devices, memfds and rings; not files of Deno's own caches, which it opens when it likes. */
  readonly descriptors: number;
  readonly processes: number;
  /** Bytes that the memfds take. */
  readonly shared: number;
  /** Files that the server keeps open. */
  readonly files: number;
  /** The keeper's own memory in bytes. */
  readonly resident: number;
}

function look({ kept }: KeptTree): Held {
  const { keeper } = kept;
  const links = [...Deno.readDirSync(`/proc/${keeper}/fd`)].map(({ name }) => `/proc/${keeper}/fd/${name}`)
    .map((path) => ({ path, target: readLink(path) }));
  const memories = links.filter(({ target }) => target.startsWith("/memfd"));
  const status = Deno.readTextFileSync(`/proc/${keeper}/status`);
  return {
    descriptors: links.filter(({ target }) => !target.startsWith("/") || /^\/(dev\/fuse|memfd)/.test(target)).length,
    processes: serversOf(keeper).length,
    shared: memories.reduce((sum, { path }) => sum + Deno.statSync(path).blocks! * 512, 0),
    files: keptFiles(kept),
    resident: Number(/^VmRSS:\s*(\d+)/m.exec(status)![1]) * 1024,
  };
}

/** What may be closed meanwhile is as good as closed. */
function readLink(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "/closed";
  }
}

/** A little of everything, which leaves nothing. */
async function use(path: string): Promise<void> {
  const directory = `${path}/directory`;
  await Deno.mkdir(directory);
  for (const name of ["one", "two", "three"]) await Deno.writeTextFile(`${directory}/${name}`, name);
  await Deno.rename(`${directory}/one`, `${directory}/four`);
  assertEquals(await Deno.readTextFile(`${directory}/four`), "one");
  assertEquals((await Array.fromAsync(Deno.readDir(directory))).length, 3);
  await Deno.remove(directory, { recursive: true });
}

async function die({ kept, path }: KeptTree): Promise<void> {
  const { restarts } = kept.server;
  // In the midst of something, which comes again.
  const using = Promise.all(["", "/one", "/one/made/two"].map((place) => use(`${path}${place}`)));
  killServer(kept.keeper);
  await waitFor("another server", () => kept.server.restarts > restarts);
  await using;
}

testKept(`${DEATHS} deaths of servers of a tree leave nothing behind`, async () => {
  const mounted = await keepTree(THREE, ["root", "one", "two"]);
  await using control = await openConnectionControl(mounted.path);
  {
    await using _mounted = mounted;
    using _open = await Deno.open(`${mounted.path}/open`, { create: true, write: true });
    for (let death = 0; death < FIRST_DEATHS; death++) await die(mounted);
    const before = look(mounted);
    for (let death = 1; death <= DEATHS; death++) {
      await die(mounted);
      if (death % 100 === 0) console.log(`after ${death}: ${JSON.stringify(look(mounted))}`);
    }
    const { resident, shared, ...counts } = before;
    await waitFor("all to be closed", () => {
      const now = look(mounted);
      return Object.entries(counts).every(([key, count]) => now[key as keyof Held] <= count);
    });
    const after = look(mounted);
    console.log(`before: ${JSON.stringify(before)}, after ${DEATHS} deaths: ${JSON.stringify(after)}`);
    // Forgets that a server had read when it died are lost: a cell or two of 64 bytes each, of each of the branches.
    assert(after.shared - shared <= 3 * (64 * 1024 + DEATHS * 256), "shared memory");
    assert(after.resident - resident < MOST_GROWTH, "the keeper's memory");
    assertEquals(await control.waiting(), 0);
    await Deno.remove(`${mounted.path}/open`);
  }
  await waitFor("the connection to be gone", () => control.waiting().then(() => false, () => true));
}, NO_STORE ?? NO_CONTROL);
