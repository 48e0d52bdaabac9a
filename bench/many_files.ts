/** What files in `layers/memory` take: MiB of the server, empty and with a million. `deno run -A bench/many_files.ts [FILES]` */
import { prepareFiles } from "./operations.ts";
import { PEERS } from "./peers.ts";
import { compile } from "./run_program.ts";
import { startServer } from "./server.ts";

// deno-lint-ignore-file no-console -- a benchmark prints its figures

const FILES = Number(Deno.args[0] ?? 1_000_000);

const programs = await Deno.makeTempDir({ prefix: "trellis-bench-", dir: "/dev/shm" });
try {
  await compile(`${programs}/client`, new URL("client.c", import.meta.url));
  await using server = await startServer(PEERS.find(({ name }) => name === "memory")!, "default", programs);
  const say = (files: number) => console.log(`${files.toLocaleString()} files: ${server.memory()?.toFixed(0)} MiB`);
  say(0);
  await prepareFiles(`${programs}/client`, server.path, 1, FILES);
  say(FILES);
} finally {
  await Deno.remove(programs, { recursive: true });
}
