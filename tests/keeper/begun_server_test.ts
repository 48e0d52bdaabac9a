/** A server's process that begins before anybody knows whether it is needed: it leaves nothing behind. */
import { ProcessFailure } from "../../src/keeper/failure.ts";
import { beginServer, dropServer, startServer, takeServer } from "../../src/keeper/begun_server.ts";
import { ServerProcess } from "../../src/keeper/server_process.ts";
import { openLibc } from "../../ffi/library.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { waitFor } from "../support/mounted.ts";
import { serversOf } from "../support/server_killer.ts";

const isGone = (pid: number) => Deno.stat(`/proc/${pid}`).then(() => false, () => true);

function countDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("a server that is begun is the one that is taken, and what nobody takes is ended", async () => {
  beginServer();
  const before = countDescriptors();
  beginServer();
  assertEquals(countDescriptors(), before);
  const { server: { child, socket }, store } = takeServer();
  dropServer();
  child.kill();
  assertEquals((await child.status).signal, "SIGTERM");
  await Promise.all([child.stdin.abort(), child.stdout.cancel()]);
  for (const descriptor of store ? [socket, store.ring] : [socket]) openLibc().symbols.close(descriptor);
});

Deno.test("a server that is dropped leaves neither a process nor descriptors", async () => {
  const before = countDescriptors();
  beginServer();
  const [pid] = serversOf(Deno.pid);
  dropServer();
  dropServer();
  await waitFor("its end", () => isGone(pid!));
  await waitFor("its descriptors to be closed", () => countDescriptors() <= before);
});

Deno.test("a server whose starter is killed before it was told anything ends by itself", async () => {
  const module = new URL("../../src/keeper/begun_server.ts", import.meta.url).href;
  const program = `const { beginServer } = await import(Deno.args[0]); beginServer(); setInterval(() => {}, 1000);`;
  const args = ["run", "-A", "--ext=ts", "-", module];
  const starter = new Deno.Command(Deno.execPath(), { args, stdin: "piped" }).spawn();
  const input = starter.stdin.getWriter();
  await input.write(new TextEncoder().encode(program));
  await input.close();
  await waitFor("the server", () => serversOf(starter.pid).length === 1);
  const [pid] = serversOf(starter.pid);
  starter.kill("SIGKILL");
  await starter.status;
  await waitFor("its end", () => isGone(pid!));
});

Deno.test("a server that died before it was told anything is lost, and its socket closed", async () => {
  const before = countDescriptors();
  const server = new ServerProcess(startServer(undefined), () => {});
  server.kill();
  await server.ended;
  await assertRejects(() => server.start({ devices: [], kept: {}, file: 0 } as never), Error, "is gone");
  assert(countDescriptors() <= before);
});

Deno.test("a server that cannot be given what it is to serve is ended, and says why", async () => {
  const server = new ServerProcess(startServer(undefined), () => {});
  const message = { devices: [1 << 20], kept: { journal: 0, state: 0, openNodes: 0 }, file: 0 };
  await assertRejects(() => server.start(message as never), ProcessFailure, "Cannot pass 5 descriptors: EBADF");
  assertEquals(await server.ended, "SIGKILL");
});
