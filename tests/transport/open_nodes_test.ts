/** Who has which node open: counted in memory that several threads share. */
import { assertEquals } from "../deps.ts";
import { makeOpenNodes, NOT_OPEN, OpenNodes } from "../../src/transport/open_nodes.ts";

/** The first open of a node, with an id: which one then holds. */
function open(nodes: OpenNodes, node: number, id: number): number {
  const cell = nodes.reserve();
  if (cell === 0) return 0;
  nodes.setId(cell, id);
  const counted = nodes.add(node, cell);
  const agreed = nodes.idOf(counted);
  if (counted !== cell) nodes.discard(cell);
  return agreed;
}

/** One release: the id that nobody has any more, or 0. */
function close(nodes: OpenNodes, node: number): number {
  const cell = nodes.leave(node);
  if (cell === 0) return 0;
  const id = nodes.idOf(cell);
  nodes.discard(cell);
  return id;
}

Deno.test("the first open decides, and the last release gives the id back", () => {
  const nodes = new OpenNodes(makeOpenNodes(8));
  assertEquals(nodes.join(7), NOT_OPEN);
  assertEquals(open(nodes, 7, 3), 3);
  assertEquals([nodes.join(7), open(nodes, 7, 4)], [3, 3]);
  assertEquals([close(nodes, 7), close(nodes, 7), close(nodes, 7)], [0, 0, 3]);
  assertEquals([nodes.join(7), nodes.size], [NOT_OPEN, 0]);
  // Opened without an id a node has none until it is open no more.
  assertEquals([open(nodes, 7, 0), open(nodes, 7, 5), nodes.join(7)], [0, 0, 0]);
});

Deno.test("nodes with the same lower half are told apart", () => {
  const nodes = new OpenNodes(makeOpenNodes(8));
  const alike = [5, 5 + 2 ** 32, 5 + 2 ** 52, 2 ** 31 + 5, 2 ** 53 - 1];
  alike.forEach((node, index) => open(nodes, node, index + 1));
  assertEquals(alike.map((node) => nodes.join(node)), [1, 2, 3, 4, 5]);
  alike.forEach((node) => close(nodes, node));
  assertEquals(alike.map((node) => close(nodes, node)), [1, 2, 3, 4, 5]);
});

Deno.test("cells are used again; a node that finds no room makes all later ones go without", () => {
  const nodes = new OpenNodes(makeOpenNodes(4));
  for (let node = 2; node < 1000; node++) {
    assertEquals(open(nodes, node, node), node);
    assertEquals(close(nodes, node), node);
  }
  for (let node = 1; node <= 4; node++) open(nodes, node, node);
  assertEquals([nodes.overflown, open(nodes, 5, 5), nodes.overflown], [false, 0, true]);
  assertEquals(close(nodes, 5), 0);
  assertEquals([1, 2, 3, 4].map((node) => close(nodes, node)), [1, 2, 3, 4]);
});

Deno.test("threads that open and release the same nodes agree on each id, and end with none", async () => {
  const memory = makeOpenNodes();
  const workers = [1, 2, 3, 4].map((number) => {
    const worker = new Worker(new URL("open_nodes_worker.ts", import.meta.url), { type: "module" });
    worker.postMessage({ memory, number });
    return worker;
  });
  const made = await Promise.all(
    workers.map((worker) =>
      new Promise<{ made: number; returned: number; disagreed: number }>((resolve) =>
        worker.onmessage = ({ data }) => resolve(data)
      )
    ),
  );
  workers.forEach((worker) => worker.terminate());
  const sum = (field: "made" | "returned" | "disagreed") => made.reduce((total, counts) => total + counts[field], 0);
  assertEquals({ disagreed: sum("disagreed"), left: sum("made") - sum("returned") }, { disagreed: 0, left: 0 });
  assertEquals(new OpenNodes(memory).size, 0);
});
