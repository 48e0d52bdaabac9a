/**
 * What a branch answers for operations that its filesystem does not have but another branch has. Never `ENOSYS`, which
 * the kernel remembers for the whole mount: where it would then do something by itself, that is done here; where a
 * kernel's own filesystem has no such operation either, the answer is the kernel's (fs/namei.c: `EPERM`).
 */
import type { Attributes } from "../../fs/attributes.ts";
import { type ErrnoName, FsError } from "../../fs/errors.ts";
import { type Awaitable, type Handle, type NodeId, type RequestContext, ROOT_NODE } from "../../fs/filesystem.ts";
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM, S_IFDIR, S_IFREG, SEEK_DATA } from "../../fs/flags.ts";
import { after } from "../support/awaitable.ts";
import type { Methods } from "../support/methods.ts";

/** All operations; those that give lookups back are the branch's own business. */
export type AllMethods = Required<Omit<Methods, "forget" | "forgetLookups">>;

/** include/uapi/asm-generic/poll.h: DEFAULT_POLLMASK, what files are that cannot be polled. */
const ALWAYS_READY = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

const STUB = { blockSize: 512, blocks: 0, blocksFree: 0, blocksAvailable: 0, files: 0, filesFree: 0 };

function refusal(code: ErrnoName, who: string, what: string): () => never {
  return () => {
    throw new FsError(code, `Cannot ${what}: the filesystem of ${who} does not know how`);
  };
}

const nothing = () => {};

/** All operations of a branch that `who` names: those its filesystem has, the others as above. */
export function completeMethods(present: Methods, who: string): AllMethods {
  const unable = (what: string, code: ErrnoName = "EPERM") => refusal(code, who, what);
  const getAttributes = present.getAttributes ?? ((node: NodeId): Attributes => {
    if (node === ROOT_NODE) return { mode: S_IFDIR | 0o755, links: 2 };
    throw new FsError("EOPNOTSUPP", `Cannot read attributes: the filesystem of ${who} does not know how`);
  });
  const open = present.open ?? (() => ({}));
  const noExtendedAttributes = unable("use extended attributes", "EOPNOTSUPP");
  const noLocks = unable("lock a file", "ENOLCK");
  const readDirectory = present.readDirectory ?? (() => []);
  return {
    lookup: () => undefined,
    getAttributes,
    setAttributes: unable("change attributes"),
    readLink: unable("read a symbolic link", "EINVAL"),
    makeNode: unable("make a file"),
    makeDirectory: unable("make a directory"),
    makeSymbolicLink: unable("make a symbolic link"),
    unlink: unable("remove a name"),
    removeDirectory: unable("remove a directory"),
    rename: unable("rename"),
    link: unable("link"),
    open,
    create: createWith(present, open) ?? unable("create a file"),
    makeTemporaryFile: unable("make a file without a name", "EOPNOTSUPP"),
    read: unable("read", "EINVAL"),
    write: unable("write", "EINVAL"),
    flush: nothing,
    release: nothing,
    synchronize: nothing,
    openDirectory: () => ({}),
    readDirectory,
    readDirectoryPlus: readDirectory,
    releaseDirectory: nothing,
    synchronizeDirectory: nothing,
    getStatistics: () => STUB,
    setExtendedAttribute: noExtendedAttributes,
    getExtendedAttribute: noExtendedAttributes,
    listExtendedAttributes: noExtendedAttributes,
    removeExtendedAttribute: noExtendedAttributes,
    access: nothing,
    getLock: noLocks,
    setLock: noLocks,
    setWholeFileLock: noLocks,
    mapBlock: unable("map blocks", "EINVAL"),
    ioctl: unable("make an ioctl", "ENOTTY"),
    poll: (_node, _handle, events) => events & ALWAYS_READY,
    allocate: unable("allocate space", "EOPNOTSUPP"),
    copyFileRange: unable("copy a range", "EOPNOTSUPP"),
    seek: (node, handle, offset, whence, context) =>
      after(getAttributes.call(present, node, handle, context), ({ size = 0 }) => seekIn(size, offset, whence)),
    getExtendedStatus: (node: NodeId, handle: Handle | undefined, context: RequestContext) =>
      after(getAttributes.call(present, node, handle, context), (attributes) => ({ attributes })),
    synchronizeFileSystem: nothing,
    ...present,
  };
}

/** As the kernel does without CREATE: mknod, then open. */
function createWith({ makeNode }: Methods, open: AllMethods["open"]): AllMethods["create"] | undefined {
  return makeNode && ((parent, name, mode, flags, context) =>
    after(
      makeNode(parent, name, S_IFREG | mode, 0, context),
      // A copy: the filesystem's own object may be used again by its next answer.
      (made): Awaitable<{ entry: typeof made; opened: Awaited<ReturnType<typeof open>> }> => {
        const entry = { ...made, attributes: { ...made.attributes } };
        return after(open(entry.node, flags, context), (opened) => ({ entry, opened }));
      },
    ));
}

/** A file of one piece of data. */
function seekIn(size: number, offset: number, whence: number): number {
  if (offset >= size) throw new FsError("ENXIO", `Cannot seek to ${offset}: the file ends at ${size}`);
  return whence === SEEK_DATA ? offset : size;
}
