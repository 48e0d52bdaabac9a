/** The way of requests from loops to a handler: order, fullness, a reader that takes another's place, the end. */
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { openLibc } from "../../ffi/library.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { RequestView } from "../../src/protocol/request.ts";
import {
  ForwardedReader,
  forwardingLoop,
  MAX_FORWARDED_WRITE,
  openForwardingSocket,
  RequestForwarder,
} from "../../src/transport/forwarding.ts";

const libc = openLibc();
const { len, unique } = STRUCT.fuse_in_header;

function makeRequest(number: number, length = 47): RequestView {
  const request = RequestView.over(new Uint8Array((length + 7) & ~7).fill(number));
  request.words[len >> 2] = length;
  request.words[unique >> 2] = number;
  return request;
}

function openWay() {
  const { sender, receiver } = openForwardingSocket(libc);
  const forwarders = [0, 1].map((loop) => new RequestForwarder(libc, { senders: [sender], loop }, MAX_FORWARDED_WRITE));
  const makeReader = (buffer?: SharedArrayBuffer) => {
    return new ForwardedReader(libc, { receiver, devices: [70, 71] }, MAX_FORWARDED_WRITE, buffer);
  };
  const close = () => void libc.symbols.close(sender);
  return { forwarders, makeReader, close, [Symbol.dispose]: () => void libc.symbols.close(receiver) };
}

Deno.test("a reader finds each request once, with its bytes and its loop's descriptor; another goes on where it stopped", () => {
  using way = openWay();
  const [first, second] = way.forwarders;
  assert(first!.send(makeRequest(2), 0));
  assert(second!.send(makeRequest(4, 45), 0));
  assert(first!.send(makeRequest(6, MAX_FORWARDED_WRITE + 80), 0));
  const buffer = new SharedArrayBuffer(1 << 18);
  const reader = way.makeReader(buffer);
  assertEquals([reader.read(), reader.request.uniqueLower, reader.request.device], ["request", 2, 70]);
  assertEquals([reader.read(), reader.request.device, forwardingLoop(buffer)], ["request", 71, 1]);
  assertEquals([reader.request.length, reader.request.payload[44]], [45, 4]);
  const successor = way.makeReader();
  assertEquals([successor.read(), successor.request.length], ["request", MAX_FORWARDED_WRITE + 80]);
  assertEquals(successor.request.payload[MAX_FORWARDED_WRITE + 79], 6);
  assertEquals(successor.read(), "empty");
  way.close();
  assertEquals(successor.read(), "unmounted");
});

Deno.test("sending never waits: a way that nobody reads is full, and has room again; what was sent comes before the end", () => {
  using way = openWay();
  const [forwarder] = way.forwarders;
  let sent = 0;
  while (forwarder!.send(makeRequest(2 + sent), 0)) sent++;
  assert(sent > 20, `${sent} requests fitted`);
  const reader = way.makeReader();
  assertEquals(reader.read(), "request");
  let again = 0;
  while (forwarder!.send(makeRequest(2), 0)) again++;
  assert(again > 0);
  way.close();
  let read = 1;
  while (reader.read() === "request") read++;
  assertEquals(read, sent + again);
  assertEquals(reader.read(), "unmounted");
});

Deno.test("a handler that there is not is an error that names it", () => {
  using way = openWay();
  assertThrows(() => way.forwarders[0]!.send(makeRequest(2), 1), RangeError, "handler 1");
  way.close();
});
