/** One file that gives back what was written to it and can be waited for, as a module of loops and, made by hand, an object. */
import { type FileSystem, type LoopHost, PollHandles, POLLIN } from "../mod.ts";

const attributes = (node: number) => node === 1 ? { mode: 0o40755, links: 2 } : { mode: 0o100666 };

/** What loops share: who waits, how many bytes there are, and a counter of handles. */
export const prepare = () => ({ waiting: PollHandles.allocate(), words: new Int32Array(new SharedArrayBuffer(8)) });

const READY = 0;
const HANDLES = 1;

export default function makePollFile(
  _options: unknown,
  { shared: { waiting, words } }: Pick<LoopHost<ReturnType<typeof prepare>>, "shared">,
): FileSystem {
  let polls: PollHandles;
  return {
    initialize: ({ notifier }) => void (polls = new PollHandles(notifier, waiting)),
    lookup: (_parent, name) => name === "file" ? { node: 2, attributes: attributes(2) } : undefined,
    getAttributes: attributes,
    open: () => ({ handle: Atomics.add(words, HANDLES, 1), directIo: true, nonSeekable: true }),
    release: (node, handle) => polls.release(node, handle),
    read: () => new Uint8Array(Atomics.exchange(words, READY, 0)),
    write(node, _handle, _offset, data) {
      Atomics.add(words, READY, data.length);
      polls.wake(node);
      return data.length;
    },
    poll(node, handle, events, wakeup) {
      polls.register(node, handle, wakeup);
      return Atomics.load(words, READY) > 0 ? events & POLLIN : 0;
    },
  };
}
