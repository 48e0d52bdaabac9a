/** OpenTelemetry: what a meter of our own is shown, and what Deno really sends to a collector. */
import { fileURLToPath } from "node:url";
import { assertEquals } from "../deps.ts";
import { makeMetricsBlock, MetricsRecorder } from "../../src/metrics/metrics.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { exportMetrics } from "../../src/telemetry/mod.ts";
import { MountProcess, run, temporaryFolder } from "../support/cli_process.ts";
import { waitFor } from "../support/mounted.ts";

const CLI = fileURLToPath(new URL("../../cli.ts", import.meta.url));

type Callback = (result: { observe(instrument: string, value: number, attributes: object): void }) => void;

/** A meter whose instruments are their names, and whose collection is asked for by hand. */
class FakeMeter {
  readonly callbacks = new Set<Callback>();
  readonly instruments: string[] = [];
  createObservableCounter = (name: string) => (this.instruments.push(name), name);
  createObservableUpDownCounter = (name: string) => (this.instruments.push(name), name);
  addBatchObservableCallback = (callback: Callback, instruments: string[]) => {
    assertEquals(instruments, this.instruments);
    this.callbacks.add(callback);
  };
  removeBatchObservableCallback = (callback: Callback) => void this.callbacks.delete(callback);

  collect(): [name: string, value: number, attributes: Record<string, string>][] {
    const observed: [string, number, Record<string, string>][] = [];
    for (const callback of this.callbacks) {
      callback({ observe: (name, value, attributes) => observed.push([name, value, { ...attributes }]) });
    }
    return observed;
  }
}

Deno.test("a meter is shown every figure, by operation, until the end", () => {
  const recorder = new MetricsRecorder(makeMetricsBlock());
  const meter = new FakeMeter();
  {
    using _ = exportMetrics({ mountpoint: "/mnt", metrics: () => recorder.read() }, meter as never);
    assertEquals(meter.collect(), []);
    for (let count = 0; count < 4; count++) recorder.begin(OPCODE.READ);
    recorder.enqueue(OPCODE.READ);
    recorder.end(OPCODE.READ, 10, 0.0015);
    recorder.end(OPCODE.READ, -5, 3);
    recorder.end(OPCODE.READ, -110, Infinity);
    recorder.timeOut(OPCODE.READ);
    recorder.drop(OPCODE.READ);
    const observed = meter.collect();
    const attributes = { "trellis.mountpoint": "/mnt", "trellis.operation": "READ" };
    for (const [, , { le: _le, "error.type": _type, ...common }] of observed) assertEquals(common, attributes);
    const values = (name: string) => observed.filter(([found]) => found === name).map(([, value]) => value);
    assertEquals(values("trellis.requests"), [3]);
    assertEquals(values("trellis.requests.in_flight"), [1]);
    assertEquals(values("trellis.requests.queued"), [1]);
    assertEquals(values("trellis.requests.overflowed"), [0]);
    assertEquals(values("trellis.requests.timed_out"), [1]);
    assertEquals(values("trellis.requests.dropped"), [1]);
    const errors = observed.filter(([name]) => name === "trellis.request.errors");
    assertEquals(errors.map(([, value, { "error.type": type }]) => [type, value]), [["EIO", 1], ["ETIMEDOUT", 1]]);
    const buckets = observed.filter(([name]) => name === "trellis.request.duration.bucket");
    const below = Object.fromEntries(buckets.map(([, value, { le }]) => [le, value]));
    assertEquals([below["0.000001"], below["0.000002"], below["0.002048"], below["0.004096"]], [0, 1, 1, 2]);
    assertEquals([buckets.length, below["+Inf"]], [32, 3]);
  }
  assertEquals(meter.collect(), []);
});

Deno.test("with OTEL_DENO, status --watch sends a mount's metrics to a collector", async (t) => {
  await using folder = await temporaryFolder();
  await using mount = await MountProcess.start(folder.path);
  await run("stat", `${folder.path}/none`);
  for (const protocol of ["http/protobuf", "http/json"]) {
    await t.step(protocol, async () => {
      const texts: string[] = [];
      await using collector = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
        const text = await request.text();
        if (new URL(request.url).pathname === "/v1/metrics") texts.push(text);
        return new Response("{}", { headers: { "content-type": "application/json" } });
      });
      const watching = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", CLI, "status", "--watch=0.1", folder.path],
        env: {
          OTEL_DENO: "true",
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
          OTEL_METRIC_EXPORT_INTERVAL: "100",
        },
        stdout: "null",
      }).spawn();
      const words = ["trellis.requests", "trellis.request.duration.bucket", "LOOKUP", "ENOENT", folder.path];
      try {
        await waitFor(words.join(", "), () => texts.some((text) => words.every((word) => text.includes(word))));
      } finally {
        watching.kill("SIGINT");
        await watching.status;
      }
      assertEquals((await watching.status).code, 0);
    });
  }
  await run("umount", folder.path);
  assertEquals((await mount.ended()).code, 0);
});
