/**
 * What a memory mount takes: MiB of resident memory of the server, empty, with a million empty files, after a million
 * operations, and for each further loop. `deno run -A bench/memory.ts [FILES]`
 */
import { mount } from "../mod.ts";
import { compilePrograms, runClient } from "./peers.ts";

// deno-lint-ignore-file no-console -- a benchmark prints its table

const FILES = Number(Deno.args[0] ?? 1_000_000);
const CLI = new URL("../cli.ts", import.meta.url).pathname;

function resident(pid: number | "self"): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

function descriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

async function memoryOfFiles(): Promise<void> {
  await using programs = await compilePrograms();
  const path = `${programs.directory}/mnt`;
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", CLI, "mount", path],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  await server.stdout.getReader().read();
  const row = (what: string) =>
    console.log(`${what.padEnd(44)}${resident(server.pid).toFixed(0).padStart(6)} MiB ${descriptors(server.pid)} fds`);
  row("mounted, empty");
  await runClient(programs, path, "prepare", 1, 1);
  row("with a little in it (65 MiB of content)");
  await runClient(programs, path, "stat", 20_000, 1);
  row("after 20,000 stats");
  for (const operation of ["stat", "open", "read4k", "write4k"]) {
    await runClient(programs, path, operation, FILES / 4, 1);
  }
  row(`after ${FILES.toLocaleString()} stats, opens, reads and writes`);
  await runClient(programs, path, "create", FILES, 1);
  row(`with ${FILES.toLocaleString()} empty files`);
  await new Deno.Command("fusermount3", { args: ["-u", path] }).output();
  await server.status;
}

async function memoryOfLoops(): Promise<void> {
  const path = await Deno.makeTempDir();
  const source = "export default () => ({ getAttributes: () => ({ mode: 0o40755 }) })";
  const module = `data:text/javascript,${encodeURIComponent(source)}`;
  const measure = async (loops: number) => {
    await using _session = await mount({ module, loops }, path);
    await Deno.stat(path);
    return resident("self");
  };
  await measure(1);
  const one = await measure(1);
  const five = await measure(5);
  console.log(`${"each further loop".padEnd(44)}${((five - one) / 4).toFixed(1).padStart(6)} MiB`);
  await Deno.remove(path);
}

await memoryOfLoops();
await memoryOfFiles();
