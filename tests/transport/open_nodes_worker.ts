/** One of the threads of `open_nodes_test.ts`: opens and releases sixteen nodes in all orders, three opens at a time. */
import { NOT_OPEN, OpenNodes } from "../../src/transport/open_nodes.ts";

declare const self: { onmessage: (event: MessageEvent) => void; postMessage(message: unknown): void };

self.onmessage = ({ data: { memory, number } }) => {
  const nodes = new OpenNodes(memory);
  const counts = { made: 0, returned: 0, disagreed: 0 };
  const open: [node: number, id: number][] = [];
  for (let round = 0; round < 10_000; round++) {
    if (open.length === 3) close(open.shift()!);
    const node = 2 + (Math.imul(round + number, 0x9e3779b1) >>> 28);
    open.push([node, openNode(node, number * 1_000_000 + round)]);
  }
  open.forEach(close);
  self.postMessage(counts);

  function openNode(node: number, id: number): number {
    const known = nodes.join(node);
    if (known !== NOT_OPEN) return known;
    counts.made++;
    const cell = nodes.reserve();
    nodes.setId(cell, id);
    const counted = nodes.add(node, cell);
    const agreed = nodes.idOf(counted);
    if (counted !== cell) giveBack(cell);
    return agreed;
  }

  /** While it was open its id was everybody's. */
  function close([node, id]: [number, number]): void {
    if (nodes.join(node) !== id) counts.disagreed++;
    nodes.leave(node);
    const unused = nodes.leave(node);
    if (unused !== 0) giveBack(unused);
  }

  function giveBack(cell: number): void {
    counts.returned++;
    nodes.discard(cell);
  }
};
