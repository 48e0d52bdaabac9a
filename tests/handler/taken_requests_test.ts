/** What a worker had taken, as the mounting isolate finds it, and how often a worker is replaced. */
import { assertEquals } from "../deps.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { lastRead, makeTakenMemory, markAnswered, readTaken, TakenRequests } from "../../src/handler/taken_requests.ts";
import { RequestView } from "../../src/protocol/request.ts";

const { SIZE, opcode, unique } = STRUCT.fuse_in_header;

function makeRequest(number: number, upper = 0): RequestView {
  const request = RequestView.over(new Uint8Array(SIZE));
  request.words.set([number, upper], unique >> 2);
  request.words[opcode >> 2] = OPCODE.READ;
  request.device = 9;
  return request;
}

Deno.test("what was taken and not answered is found, with its times in the process's own", () => {
  const memory = makeTakenMemory();
  const taken = new TakenRequests(memory, 1000);
  const [first, second] = [taken.add(makeRequest(2), 5, Infinity), taken.add(makeRequest(0xffff_fffe, 7), 6, 16)];
  taken.remove(first);
  assertEquals([...readTaken(memory)], [{
    slot: second,
    uniqueLower: 0xffff_fffe,
    uniqueUpper: 7,
    opcode: OPCODE.READ,
    device: 9,
    begin: 1006,
    due: 1016,
    answered: false,
  }]);
  markAnswered(memory, [...readTaken(memory)][0]!);
  assertEquals([...readTaken(memory)].map(({ answered }) => answered), [true]);
  // A slot that is used again does not remember its last request.
  taken.remove(second);
  taken.add(makeRequest(8), 0, 0);
  assertEquals([...readTaken(memory)].map(({ uniqueLower, answered }) => [uniqueLower, answered]), [[8, false]]);
});

Deno.test("when the slots are used up the others are not written down, until some are free", () => {
  const memory = makeTakenMemory();
  const taken = new TakenRequests(memory, 0);
  let count = 0;
  let last = 0;
  for (let slot = taken.add(makeRequest(2), 0, 0); slot > 0; slot = taken.add(makeRequest(2), 0, 0), count++) {
    last = slot;
  }
  assertEquals([count, [...readTaken(memory)].length], [65_535, 65_535]);
  taken.remove(0);
  taken.remove(last);
  assertEquals(taken.add(makeRequest(4), 0, 0), last);
});

Deno.test("the request that was read last is found in the buffer", () => {
  const buffer = new SharedArrayBuffer(4096);
  assertEquals(lastRead(buffer).opcode, 0);
  new Uint8Array(buffer).set(new Uint8Array(makeRequest(6, 1).payload));
  assertEquals(lastRead(buffer), { uniqueLower: 6, uniqueUpper: 1, opcode: OPCODE.READ });
});
