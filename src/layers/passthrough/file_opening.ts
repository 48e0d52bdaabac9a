/** How files are opened in the source, and how the kernel is told to treat them. */
import { FsError } from "../../fs/errors.ts";
import type { Created, NodeId, Opened, RequestContext } from "../../fs/filesystem.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_CREAT,
  O_DIRECT,
  O_EXCL,
  O_NOCTTY,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  R_OK,
  S_IFREG,
  W_OK,
  X_OK,
} from "../../fs/flags.ts";
import { APPENDED_FILE, FILE } from "./descriptor_register.ts";
import type { PassthroughLoop } from "./passthrough_loop.ts";
import { AT_EACCESS, AT_EMPTY_PATH, EMPTY, type StringBuffer } from "./system_calls.ts";
import { UnchangedFiles } from "./unchanged_files.ts";

/** The kernel opens a program to run it (linux/fs.h: __FMODE_EXEC); that asks for X_OK, not for R_OK. */
const FMODE_EXEC = 0x20;

/**
 * Flags that stay here. `O_DIRECT`: the kernel makes the mount's side direct by itself, and the source would want
 * buffers aligned as ours are not; its page cache is then the only one. `O_APPEND`: the offset that the kernel gives is
 * the end of the file as it last saw it, so each write appends for itself (`RWF_APPEND`), but pages that a mapping has
 * changed go where they belong.
 */
const KEPT_HERE = O_CREAT | O_EXCL | O_NOCTTY | O_NOFOLLOW | O_DIRECT | O_APPEND | FMODE_EXEC;

export class FileOpening {
  readonly #loop: PassthroughLoop;
  /** Whether the kernel keeps what it has read of a file when it is opened again, if it has not changed. */
  readonly #keepsUnchanged: boolean;
  readonly #unchanged = new UnchangedFiles();
  readonly #plain: Required<Pick<Opened, "handle" | "directIo" | "keepCache" | "parallelDirectWrites" | "noFlush">>;
  readonly #backed: Required<Pick<Opened, "handle" | "backing" | "backingMapsOnly" | "backingAsRoot">> & Opened;

  constructor(loop: PassthroughLoop) {
    this.#loop = loop;
    const { cache } = loop.options;
    this.#keepsUnchanged = cache === "auto";
    this.#plain = {
      handle: 0,
      directIo: cache === "never",
      keepCache: cache === "always",
      parallelDirectWrites: cache === "never",
      noFlush: false,
    };
    this.#backed = { ...this.#plain, backing: 0, backingMapsOnly: false, backingAsRoot: false };
  }

  /** A program's flags as the source gets them. */
  flagsFor(flags: number): number {
    const kept = flags & ~KEPT_HERE;
    // The writeback cache reads the rest of a page that is written in part.
    return this.#widens(flags) ? (kept & ~O_ACCMODE) | O_RDWR : kept;
  }

  #widens(flags: number): boolean {
    return this.#loop.writeback && (flags & O_ACCMODE) === O_WRONLY;
  }

  /** Opens a known file as the caller. */
  open(node: NodeId, flags: number, context: RequestContext): Opened {
    const loop = this.#loop;
    if (loop.typeOf(node) !== S_IFREG) throw new FsError("ENXIO", "Cannot open what is no regular file");
    const descriptor = loop.descriptors.use(node);
    loop.identity.assume(context);
    return this.#answer(node, this.#open(descriptor, flags), flags, context);
  }

  /** Notes an open file of a known node and says how the kernel is to treat it. */
  #answer(node: NodeId, opened: number, flags: number, context: RequestContext): Opened {
    const loop = this.#loop;
    return this.#register(opened, flags, context, (handle) => {
      loop.register.kept?.setNode(handle, loop.table.cellOf(node));
      // The status also goes into the answer to CREATE, and what O_TRUNC has cut is not as it was found. (To OPEN it never
      // comes, as the kernel cuts by itself.)
      if (this.#keepsUnchanged || loop.kernelPassthrough.agreed || flags & O_TRUNC) loop.look(handle);
      const opened = this.#describe(node, handle, flags);
      if (opened === this.#backed) this.#back(node, flags, false, context);
      return opened;
    });
  }

  #open(descriptor: number, flags: number): number {
    const how = this.flagsFor(flags);
    try {
      return this.#loop.reopen(descriptor, how);
    } catch (error) {
      const asked = this.#widens(flags) ? W_OK : flags & FMODE_EXEC ? X_OK : 0;
      if (asked === 0 || !(error instanceof FsError && error.code === "EACCES")) throw error;
      return this.#openUnreadable(descriptor, asked, how & ~O_TRUNC, error);
    }
  }

  /** The caller may write or run the file, which is all that it asked for, but we have to read it as well. */
  #openUnreadable(descriptor: number, asked: number, how: number, refusal: FsError): number {
    const { calls, identity } = this.#loop;
    if (calls.files.faccessat(descriptor, EMPTY, asked, AT_EACCESS | AT_EMPTY_PATH) < 0) throw refusal;
    if (calls.files.faccessat(descriptor, EMPTY, R_OK, AT_EACCESS | AT_EMPTY_PATH) === 0) throw refusal;
    return identity.asServer(() => this.#loop.reopen(descriptor, how));
  }

  /**
   * Opens a file that a request made, which comes again: whoever makes a file may open it as it likes, whatever mode it
   * gave it. Somebody else's file is opened as any other.
   */
  openMade(node: NodeId, flags: number, context: RequestContext): Opened {
    const loop = this.#loop;
    const descriptor = loop.descriptors.use(node);
    loop.look(descriptor);
    if (loop.source.privileged && loop.status.readAttributes().uid !== context.uid) {
      return this.open(node, flags, context);
    }
    const opened = loop.identity.asServer(() => this.#openWithRights(descriptor, this.flagsFor(flags)));
    return this.#answer(node, opened, flags, context);
  }

  /** An ordinary user that owns the file gives itself the right for a moment. */
  #openWithRights(descriptor: number, flags: number): number {
    const { calls, source, status, number } = this.#loop;
    try {
      return this.#loop.reopen(descriptor, flags);
    } catch (error) {
      if (!(error instanceof FsError && error.code === "EACCES")) throw error;
    }
    this.#loop.look(descriptor);
    const mode = status.mode & 0o7777;
    calls.check(calls.files.fchmodat(source.proc, number.putNumber(descriptor), mode | 0o600, 0), "open a file again");
    try {
      return this.#loop.reopen(descriptor, flags);
    } finally {
      calls.files.fchmodat(source.proc, number.putNumber(descriptor), mode, 0);
    }
  }

  /**
   * Says which file the kernel may read and write itself: the node's own descriptor, since the handle's would keep its
   * flock(2) until the last release of the node. The kernel keeps the credentials that the thread has from here on.
   */
  #back(node: NodeId, flags: number, isNew: boolean, context: RequestContext): void {
    const { descriptors, identity } = this.#loop;
    if ((flags & O_ACCMODE) === O_RDWR) this.#loop.noteMappable(node, isNew, context);
    this.#backed.backing = descriptors.use(node);
    this.#backed.backingAsRoot = context.uid === 0;
    identity.assume(context);
  }

  /** Notes an open file and makes the answer of how the kernel is to treat it. When that fails, it is closed. */
  #register<Answer>(
    opened: number,
    flags: number,
    context: RequestContext,
    answer: (handle: number) => Answer,
  ): Answer {
    const { register } = this.#loop;
    const appends = (flags & O_APPEND) !== 0 && !this.#loop.writeback;
    const descriptor = register.addOpened(opened, appends ? APPENDED_FILE : FILE, context);
    try {
      return answer(descriptor);
    } catch (error) {
      register.close(descriptor);
      throw error;
    }
  }

  /** How the kernel is to treat the open file that `status` was filled from. The same two objects each time. */
  #describe(node: NodeId, descriptor: number, flags: number): Opened {
    const mode = this.#loop.kernelPassthrough.modeOf(descriptor, flags);
    const opened = mode === "plain" ? this.#plain : this.#backed;
    if (mode === "plain" && this.#keepsUnchanged) this.#plain.keepCache = this.#isUnchanged(node, descriptor);
    opened.handle = descriptor;
    opened.noFlush = this.#closesQuietly(node, descriptor, flags);
    this.#backed.backingMapsOnly = mode !== "backed";
    return opened;
  }

  /** What the times of a filesystem that is not local are worth nobody knows. */
  #isUnchanged(node: NodeId, descriptor: number): boolean {
    const { status, table, localFiles } = this.#loop;
    if (!localFiles.has(descriptor, status.device)) return false;
    const cell = table.cellOf(node);
    const isMultigrain = localFiles.isMultigrain(descriptor, status.device);
    return this.#unchanged.has(cell, table.generationOf(cell), status, isMultigrain);
  }

  /**
   * Whether a close of the open file has nothing to do here, so that no FLUSH need come: no locks to give back, which
   * could be of any open file of the process; nothing that a filesystem which is not local would do or report, if it was
   * written; and nothing to write that a mapping left in the kernel's pages, which takes an open for reading and writing.
   */
  #closesQuietly(node: NodeId, descriptor: number, flags: number): boolean {
    const { options: { remotePosixLock }, localFiles } = this.#loop;
    if (remotePosixLock) return false;
    const access = flags & O_ACCMODE;
    if (access === O_RDONLY) return true;
    return access === O_WRONLY && localFiles.has(descriptor, this.#loop.deviceOf(node));
  }

  /** A file that was made and opened by one call. */
  made(
    descriptor: number,
    flags: number,
    parent: number,
    name: StringBuffer | undefined,
    context: RequestContext,
  ): Created {
    return this.#register(descriptor, flags, context, (handle) => {
      const entry = this.#loop.enterOpened(handle, parent, name);
      this.#loop.register.kept?.setNode(handle, this.#loop.table.cellOf(entry.node));
      const opened = this.#describe(entry.node, handle, flags);
      if (opened === this.#backed) {
        this.#back(entry.node, flags, true, context);
        entry.attributes = this.#loop.attributesOf(this.#loop.table.cellOf(entry.node));
      }
      return { entry, opened };
    });
  }
}
