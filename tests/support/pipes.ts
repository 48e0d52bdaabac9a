/** A filesystem to poll. */
import { type FileSystem, PollHandles, POLLIN } from "../../mod.ts";

/** Files by number, each with some bytes in it that reading takes out. */
export class Pipes {
  readonly ready = new Map<number, number>();
  /** How often the kernel asked. */
  asked = 0;
  polls!: PollHandles;
  #handles = 0;

  fileSystem(): FileSystem {
    const attributes = (node: number) => node === 1 ? { mode: 0o40755, links: 2 } : { mode: 0o100666 };
    return {
      initialize: ({ notifier }) => void (this.polls = new PollHandles(notifier)),
      lookup: (_parent, name) => ({ node: Number(name) + 2, attributes: attributes(2) }),
      getAttributes: attributes,
      open: () => ({ handle: ++this.#handles, directIo: true, nonSeekable: true }),
      release: (node, handle) => this.polls.release(node, handle),
      read: (node, _handle, _offset, size) => {
        const length = Math.min(size, this.ready.get(node) ?? 0);
        this.ready.set(node, this.ready.get(node)! - length);
        return new Uint8Array(length).fill(120);
      },
      poll: (node, handle, events, wakeup) => {
        this.asked++;
        this.polls.register(node, handle, wakeup);
        return (this.ready.get(node) ?? 0) > 0 ? events & POLLIN : 0;
      },
    };
  }

  /** Puts a byte into the file and tells who waits. */
  fill(file: number): void {
    const node = file + 2;
    this.ready.set(node, (this.ready.get(node) ?? 0) + 1);
    this.polls.wake(node);
  }
}
