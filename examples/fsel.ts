/**
 * libfuse's example/poll.c: sixteen files, "0" to "F", that fill up by and by and are emptied by reading; programs wait
 * for them with poll, select or epoll. libfuse's own poll_client.c works with it, run inside the mountpoint.
 */
import { type FileSystem, FsError, O_ACCMODE, O_RDONLY, PollHandles, POLLIN, S_IFDIR, S_IFREG } from "../mod.ts";
import { parseCommandLine, serve } from "./command_line.ts";

const NAMES = "0123456789ABCDEF";
/** Each file holds up to ten characters. */
const MOST = 10;
const INTERVAL_MILLISECONDS = 250;

/** How many characters each file holds. */
const counts = new Array<number>(NAMES.length).fill(0);
/** Each file can be open once. */
const open = new Set<number>();
/** How often in a row a file that was asked for was empty. */
let polledEmpty = 0;
let polls: PollHandles | undefined;

/** Files are the nodes from 2 on. */
const indexOf = (node: number) => node - 2;

const attributes = (node: number) =>
  node === 1 ? { mode: S_IFDIR | 0o555, links: 2 } : { mode: S_IFREG | 0o444, size: counts[indexOf(node)]! };

function print(line: string): void {
  // deno-lint-ignore no-console -- the original says what it does
  console.log(line);
}

const fsel: FileSystem = {
  initialize({ notifier }) {
    polls = new PollHandles(notifier);
  },
  lookup(parent, name) {
    const node = name.length === 1 ? NAMES.indexOf(name) + 2 : 0;
    return parent !== 1 || node < 2 ? undefined : { node, attributes: attributes(node) };
  },
  getAttributes: (node) => attributes(node),
  *readDirectory(node, _handle, offset) {
    if (node !== 1) throw new FsError("ENOTDIR");
    for (let index = offset; index < NAMES.length; index++) {
      yield { name: NAMES[index]!, inode: index + 2, mode: S_IFREG, offset: index + 1 };
    }
  },
  open(node, flags) {
    if ((flags & O_ACCMODE) !== O_RDONLY) throw new FsError("EACCES");
    if (open.has(node)) throw new FsError("EBUSY");
    open.add(node);
    return { directIo: true, nonSeekable: true };
  },
  release(node, handle) {
    open.delete(node);
    polls?.release(node, handle);
  },
  read(node, _handle, _offset, size) {
    const index = indexOf(node);
    const length = Math.min(size, counts[index]!);
    print(`READ   ${NAMES[index]} transferred=${length} cnt=${counts[index]}`);
    counts[index]! -= length;
    return new TextEncoder().encode(NAMES[index]!.repeat(length));
  },
  poll(node, handle, _events, wakeup) {
    polls?.register(node, handle, wakeup);
    const index = indexOf(node);
    if (counts[index] === 0) {
      polledEmpty++;
      return 0;
    }
    print(`POLL   ${NAMES[index]} cnt=${counts[index]} polled_zero=${polledEmpty}`);
    polledEmpty = 0;
    return POLLIN;
  },
};

/** Puts one character into 1, 2 or 4 files, further on each time. */
function* produce(): Generator<void> {
  for (let files = 1;; files = (files * 2) % 7) {
    for (let first = 0; first < NAMES.length; first++) {
      for (let nth = 0; nth < files; nth++) fill((first + nth * Math.floor(NAMES.length / files)) % NAMES.length);
      yield;
    }
  }
}

function fill(index: number): void {
  if (counts[index] === MOST) return;
  counts[index]!++;
  if (polls !== undefined && polls.wake(index + 2) > 0) print(`NOTIFY ${NAMES[index]}`);
}

const line = parseCommandLine(Deno.args);
const producer = produce();
if (line.foreground) setInterval(() => producer.next(), INTERVAL_MILLISECONDS);
await serve(fsel, line);
