/** Live sessions: what happens to requests, and how sessions begin and end. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { type FileSystem, FsError, Later, mount, MountError, MountpointError } from "../../mod.ts";
import { ERRNO } from "../../src/fs/errors.ts";
import { Connection } from "../../src/connection/connection.ts";
import { findMount } from "../../src/connection/mount_table.ts";
import { NO_CONTROL, openConnectionControl } from "../support/connection_control.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";

const directory = { mode: 0o40755, links: 2 };

/** One file, "file", that any test may make special. */
function oneFile(special: Partial<FileSystem> = {}): FileSystem {
  const attributes = { mode: 0o100666, size: 4 };
  return {
    lookup: (parent, name) => parent === 1 && name === "file" ? { node: 2, attributes } : undefined,
    getAttributes: (node) => node === 1 ? directory : attributes,
    read: (_node, _handle, offset) => new TextEncoder().encode("abcd").subarray(offset),
    ...special,
  };
}

/** A module for placement "loop" with this source. */
function moduleOf(source: string): { module: string } {
  return { module: `data:text/javascript,${encodeURIComponent(source)}` };
}

async function code(operation: Promise<unknown>): Promise<string> {
  const error = await assertRejects(() => operation);
  return String((error as { code?: unknown }).code);
}

Deno.test("an exception is EIO and a log line, and the mount lives on", async () => {
  const log: string[] = [];
  const broken = oneFile({
    readDirectory: () => {
      throw new TypeError("broken by intent");
    },
  });
  await using mounted = await mountTemporarily(broken, { log: (message, detail) => log.push(message, detail) });
  assertEquals(await code(Array.fromAsync(Deno.readDir(mounted.path))), "EIO");
  assert(log.some((line) => line.includes("broken by intent")), log.join("\n"));
  assertEquals(await Deno.readTextFile(`${mounted.path}/file`), "abcd");
});

Deno.test("an exception in a loop's module is EIO and a log line, and the mount lives on", async () => {
  const log: string[] = [];
  const source = `export default () => ({
    getAttributes: () => ({ mode: 0o40755 }),
    lookup: (_parent, name) => { if (name === "bad") throw new TypeError("broken by intent"); if (name === "late") return Promise.resolve(); }
  })`;
  await using mounted = await mountTemporarily(moduleOf(source), {
    log: (message, detail) => log.push(message, detail),
  });
  assertEquals(await code(Deno.stat(`${mounted.path}/bad`)), "EIO");
  assertEquals(await code(Deno.stat(`${mounted.path}/late`)), "EIO");
  assertEquals(await code(Deno.stat(`${mounted.path}/other`)), "ENOENT");
  await waitFor("both log lines", () => log.length >= 4);
  assert(log.join("\n").includes("broken by intent"));
  assert(log.join("\n").includes("must answer at once"));
});

Deno.test("a module that fails to load fails the mount with its own words and leaves nothing mounted", async () => {
  const path = await Deno.makeTempDir();
  await assertRejects(() => mount(moduleOf("throw new Error('no such luck')"), path), Error, "no such luck");
  await assertRejects(
    () => mount(moduleOf("export default () => { throw new Error('cannot be made') }"), path),
    Error,
    "cannot be made",
  );
  for (const placement of ["loop", "handler"] as const) {
    const wrong = { ...moduleOf("export const filesystem = {}"), placement };
    await assertRejects(() => mount(wrong, path), Error, "default export is not a function");
  }
  assertEquals(await findMount(path), undefined);
  await Deno.remove(path);
});

Deno.test("timeouts and sizes that make no sense are refused by name", async () => {
  const senseless = { entryTimeout: -1, attributesTimeout: NaN, negativeTimeout: Infinity, maxRead: 0.5 };
  for (const [name, value] of Object.entries(senseless)) {
    const options = { [name]: value };
    await assertRejects(() => mount(moduleOf(""), "/nowhere", options), RangeError, `${name} ${value}`);
    await assertRejects(() => mount(moduleOf(""), "/nowhere", { ...options, process: "separate" }), RangeError, name);
  }
});

Deno.test("an interrupted caller fires the signal, and the next request is served", async () => {
  const started = Promise.withResolvers<void>();
  const fired = Promise.withResolvers<void>();
  await using mounted = await mountTemporarily(oneFile({
    // Reads into the page cache are the kernel's own: it does not interrupt them when a caller is killed.
    open: () => ({ directIo: true }),
    read: (_node, _handle, _offset, _size, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => (fired.resolve(), reject(signal.reason)), { once: true });
        started.resolve();
      }),
  }));
  const client = new Deno.Command("cat", { args: [`${mounted.path}/file`], stdout: "null", stderr: "null" }).spawn();
  await started.promise;
  client.kill("SIGKILL");
  await fired.promise;
  await client.status;
  assertEquals((await Deno.stat(`${mounted.path}/file`)).size, 4);
});

Deno.test("requests of an object run beside each other and are answered once each", async () => {
  let running = 0;
  let most = 0;
  await using mounted = await mountTemporarily({
    getAttributes: () => directory,
    async lookup(_parent, name) {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running--;
      return name.startsWith("no") ? undefined : { node: 2 + Number(name), attributes: { mode: 0o100644 } };
    },
  });
  const names = Array.from({ length: 200 }, (_, index) => index % 3 === 0 ? `no${index}` : String(index));
  const found = await Promise.all(
    names.map((name) => Deno.stat(`${mounted.path}/${name}`).then(() => true, () => false)),
  );
  assertEquals(found, names.map((name) => !name.startsWith("no")));
  assert(most > 1, "nothing ran beside anything else");
});

Deno.test("forget comes once for a node whose names the kernel dropped", async () => {
  const known = new Set<number>();
  const forgotten: number[] = [];
  await using mounted = await mountTemporarily({
    getAttributes: (node) => node === 1 ? directory : { mode: 0o100644 },
    lookup: (_parent, name) => {
      const node = Number(name);
      known.add(node);
      return { node, attributes: { mode: 0o100644 } };
    },
    forget: (node) => void forgotten.push(node),
    unlink: () => {},
  });
  for (let node = 2; node < 50; node++) await Deno.remove(`${mounted.path}/${node}`);
  await waitFor("48 forgets", () => forgotten.length >= known.size);
  assertEquals(forgotten.toSorted((a, b) => a - b), [...known].toSorted((a, b) => a - b));
});

Deno.test("a mount that somebody else unmounts finishes by itself", async () => {
  const { path, session } = await mountTemporarily(oneFile());
  const { success } = await new Deno.Command("fusermount3", { args: ["-u", path] }).output();
  assert(success);
  await session.finished;
  await Deno.remove(path);
});

Deno.test("a filesystem is told of its beginning and of its end", async () => {
  const calls: string[] = [];
  {
    await using _mounted = await mountTemporarily({
      initialize: ({ minor, features }) => void calls.push(`initialize ${minor > 20} ${features.has("big-writes")}`),
      destroy: () => Promise.resolve().then(() => void calls.push("destroy")),
    });
  }
  assertEquals(calls, ["initialize true true", "destroy"]);
});

Deno.test("unmounting ends although a file is open and a request is never answered", async () => {
  const asked = Promise.withResolvers<void>();
  const { path, session } = await mountTemporarily(oneFile({
    read: () => (asked.resolve(), new Promise(() => {})),
  }));
  const client = new Deno.Command("cat", { args: [`${path}/file`], stdout: "null", stderr: "null" }).spawn();
  await asked.promise;
  await session.unmount();
  assertEquals((await client.status).success, false);
  await Deno.remove(path);
});

/** A module of one file, every read of which takes two milliseconds and is a request of its own. */
const SLOW = `
  const file = { mode: 0o100666, size: 2 ** 40 };
  export default () => ({
    lookup: () => ({ node: 2, attributes: file }),
    getAttributes: (node) => node === 1 ? { mode: 0o40755 } : file,
    open: () => ({ directIo: true }),
    read(_node, _handle, _offset, size) {
      for (const begin = performance.now(); performance.now() - begin < 2;);
      return new Uint8Array(size);
    },
  })`;

/** More than the sixteen programs of a test each get answered in the time of grace. */
const READS = 1_000;

const BUSY: Record<string, () => Promise<Parameters<typeof mountTemporarily>[0]>> = {
  "one loop": () => Promise.resolve({ ...moduleOf(SLOW), loops: 1 }),
  "two loops": () => Promise.resolve({ ...moduleOf(SLOW), loops: 2 }),
  "a handler": () => Promise.resolve({ ...moduleOf(SLOW), placement: "handler" }),
  "an object": async () => (await import(moduleOf(SLOW).module)).default(),
};

for (const [who, make] of Object.entries(BUSY)) {
  Deno.test(`unmounting ends while programs always have the next request ready, with ${who}`, async () => {
    const { path, session } = await mountTemporarily(await make(), { transport: "device" });
    const args = [`if=${path}/file`, "of=/dev/null", "bs=16", `count=${READS}`];
    const clients = Array.from(
      { length: 16 },
      () => new Deno.Command("dd", { args, stdout: "null", stderr: "piped" }).spawn(),
    );
    await waitFor("all to read", () => (session.metrics()["READ"]?.count ?? 0) > 4 * clients.length);
    await session.unmount();
    await Promise.all(clients.map((client) => client.output()));
    const count = session.metrics()["READ"]!.count;
    assert(count < clients.length * READS / 2, `${count} reads were answered`);
    await Deno.remove(path);
  });
}

Deno.test("/dev/fd/N: a device that somebody else mounted is served", async () => {
  const path = await Deno.makeTempDir();
  using connection = Connection.mount(path, ["fsname=elsewhere", "subtype=trellis"]);
  const session = await mount(oneFile(), `/dev/fd/${connection.device}`);
  assertEquals(await Deno.readTextFile(`${path}/file`), "abcd");
  await connection.unmount();
  await session.finished;
  await Deno.remove(path);
});

Deno.test("a stale mount of ours is replaced, another's is left alone", async () => {
  const path = await Deno.makeTempDir();
  for (const subtype of ["trellis", "another"]) {
    const program = `
      import { mount } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
      await mount({}, ${JSON.stringify(path)}, { subtype: ${JSON.stringify(subtype)} });
      console.log("ready");`;
    const server = new Deno.Command(Deno.execPath(), { args: ["eval", program], stdout: "piped" }).spawn();
    const reader = server.stdout.getReader();
    await reader.read();
    server.kill("SIGKILL");
    await server.status;
    await reader.cancel();
    assertEquals(await code(Deno.stat(path)), "ENOTCONN");
    if (subtype === "trellis") {
      await using session = await mount(oneFile(), path);
      assertEquals(await Deno.readTextFile(`${session.mountpoint}/file`), "abcd");
    } else {
      await assertRejects(() => mount(oneFile(), path), MountpointError, "fuse.another");
      assert(await findMount(path) !== undefined);
    }
  }
  await new Deno.Command("fusermount3", { args: ["-u", "-z", path] }).output();
  await Deno.remove(path);
});

Deno.test("bad mountpoints and options are refused by name, with nothing left mounted", async () => {
  const path = await Deno.makeTempDir();
  await assertRejects(() => mount({}, `${path}/missing`), MountpointError, "does not exist");
  const error = await assertRejects(() => mount({}, path, { options: ["nonsense"] }), MountError);
  assert(error.message.includes("nonsense"), error.message);
  await assertRejects(() => mount({ ...moduleOf(""), loops: 0 }, path), RangeError, "0 loops");
  assertEquals(await findMount(path), undefined);
  await Deno.remove(path);
});

Deno.test("thirty mounts leave no descriptor behind", async () => {
  const descriptors = async () => (await Array.fromAsync(Deno.readDir("/proc/self/fd"))).length;
  const round = async (filesystem: Parameters<typeof mount>[0]) => {
    await using mounted = await mountTemporarily(filesystem);
    await Deno.stat(mounted.path);
  };
  const source = "export default () => ({ getAttributes: () => ({ mode: 0o40755 }) })";
  await round(oneFile());
  await round({ ...moduleOf(source), loops: 2 });
  const before = await descriptors();
  for (let count = 0; count < 15; count++) {
    await round(oneFile());
    await round({ ...moduleOf(source), loops: 2 });
  }
  // Workers close their own descriptors a moment after they have ended.
  await waitFor("the descriptors to be closed", async () => await descriptors() <= before);
});

Deno.test("refusals of every kind reach the caller as their errno", async () => {
  await using mounted = await mountTemporarily({
    getAttributes: () => directory,
    lookup: (_parent, name) => {
      throw new FsError(name as "EPERM");
    },
  });
  for (const name of ["EPERM", "EACCES", "ELOOP", "ENAMETOOLONG", "EDQUOT", "ESTALE", "EHOSTUNREACH"] as const) {
    await assertRejects(() => Deno.stat(`${mounted.path}/${name}`), Error, `(os error ${ERRNO[name]})`);
  }
});

Deno.test("debug shows every request and its answer, in both placements", async () => {
  const source = "export default () => ({ getAttributes: () => ({ mode: 0o40755 }) })";
  for (const filesystem of [{ getAttributes: () => directory }, moduleOf(source)]) {
    const log: string[] = [];
    await using mounted = await mountTemporarily(filesystem, { debug: true, log: (message) => log.push(message) });
    assertEquals(await code(Deno.stat(`${mounted.path}/none`)), "ENOENT");
    await waitFor("the line of the lookup", () => log.some((line) => /LOOKUP node 1 .* -> ENOENT/.test(line)));
  }
});

Deno.test("an answer that the kernel refuses is EIO and a log line, in both placements", async () => {
  const source = `export default () => ({
    getAttributes: (node) => ({ mode: node === 1 ? 0o40755 : 0o120777 }),
    lookup: () => ({ node: 2, attributes: { mode: 0o120777 } }),
    readLink: () => "x".repeat(5000),
  })`;
  const link = { node: 2, attributes: { mode: 0o120777 } };
  const object: FileSystem = {
    getAttributes: (node) => node === 1 ? directory : link.attributes,
    lookup: () => link,
    readLink: () => "x".repeat(5000),
  };
  for (const filesystem of [object, moduleOf(source)]) {
    const log: string[] = [];
    await using mounted = await mountTemporarily(filesystem, { log: (message) => log.push(message) });
    assertEquals(await code(Deno.readLink(`${mounted.path}/link`)), "EIO");
    assert((await Deno.lstat(`${mounted.path}/link`)).isSymlink);
    await waitFor("the log line", () => log.some((line) => line.includes("refused the answer")));
  }
});

Deno.test({
  name: `a connection that is aborted ends the session and its mount${
    NO_CONTROL === undefined ? "" : ` (skipped: ${NO_CONTROL})`
  }`,
  ignore: NO_CONTROL !== undefined,
  fn: async () => {
    const { path, session } = await mountTemporarily(oneFile());
    await using control = await openConnectionControl(path);
    await control.abort();
    await session.finished;
    assertEquals(await findMount(path), undefined);
    await Deno.remove(path);
  },
});

for (const loops of [1, 2]) {
  Deno.test(`what answers Later is asked again, and ends when its caller is interrupted, with ${loops} loop(s)`, async () => {
    const module = new URL("later_module.ts", import.meta.url);
    await using mounted = await mountTemporarily({ module, loops }, { entryTimeout: 0 });
    // Each loop has a filesystem of its own, and a request stays with its loop.
    assert((await Deno.stat(`${mounted.path}/third`)).size >= 3);
    const client = new Deno.Command("stat", { args: [`${mounted.path}/never`], stdout: "null", stderr: "null" })
      .spawn();
    const blocked = async () => (await Deno.readTextFile(`/proc/${client.pid}/stat`)).split(" ")[2] !== "R";
    await waitFor("the client to wait", blocked);
    client.kill("SIGKILL");
    assertEquals((await client.status).signal, "SIGKILL");
    assert((await Deno.stat(`${mounted.path}/other`)).isFile);
  });
}

Deno.test("an object may answer Later, too", async () => {
  let tries = 0;
  await using mounted = await mountTemporarily({
    getAttributes: () => directory,
    lookup() {
      if (++tries < 3) throw new Later(1);
      return { node: 2, attributes: { mode: 0o100644 } };
    },
  });
  assert((await Deno.stat(`${mounted.path}/file`)).isFile);
  assertEquals(tries, 3);
});
