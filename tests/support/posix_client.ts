/** A process that makes system calls when told to: the suite's hands on a filesystem, see posix_client.c. */

import { TextLineStream } from "../deps.ts";
import { decodeName } from "../../src/fs/names.ts";
import { PATIENCE } from "./patience.ts";
import { compiledProgram } from "./posix_program.ts";
import {
  decodeWord,
  type DirectoryEntry,
  encodeWord,
  type Nanoseconds,
  parseEntries,
  parseStatus,
  splitNames,
  type Status,
  type TimeToSet,
  timeWords,
  toNanoseconds,
  type Word,
} from "./posix_words.ts";

export type { DirectoryEntry, Nanoseconds, Status, TimeToSet } from "./posix_words.ts";

/** A name as a string (bytes that are not UTF-8 as in src/fs/names.ts) or as its bytes. */
export type Path = string | Uint8Array;
/** A number, or constants by name joined by "|": `O_RDWR|O_CREAT`. */
export type Flags = string | number;
/** Who a client is. Without `groups` it has no other group than `gid`. Only root can become another. */
export interface Identity {
  uid: number;
  gid: number;
  groups?: readonly number[];
}

/** What statfs(2) tells; `blocks`, `free` and `available` in units of `blockSize` bytes. */
export interface Statistics {
  blockSize: number;
  blocks: number;
  free: number;
  available: number;
  files: number;
  filesFree: number;
  nameLength: number;
}

/** A lock that is in the way, as fcntl(F_GETLK) tells it. */
export interface LockInTheWay {
  type: string;
  start: number;
  length: number;
  pid: number;
}

/** A system call that failed; `code` is the errno's name. */
export class PosixError extends Error {
  override name = "PosixError";
  constructor(readonly code: string, call: string) {
    super(`${call}: ${code}`);
  }
}

interface Pending {
  command: string;
  resolve(values: string[]): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

/**
 * One process. Calls may be made without waiting for earlier ones: they run in order, one after the other. Every
 * method is the system call of its name and throws PosixError when that fails.
 */
export class PosixClient implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #pending: Pending[] = [];
  readonly #listening: Promise<void>;
  readonly #encoder = new TextEncoder();
  #ended = false;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#input = process.stdin.getWriter();
    this.#listening = this.#listen();
  }

  /** Starts a process, as `identity` when that is given, with a umask of 0. */
  static async start(identity?: Identity): Promise<PosixClient> {
    const program = await compiledProgram();
    const args = identity
      ? [identity.uid, identity.gid, (identity.groups ?? [identity.gid]).join(",")].map(String)
      : [];
    const client = new PosixClient(
      new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn(),
    );
    // The process says its number once it has become who it is to be.
    await client.#expectAnswer("start");
    return client;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Makes the call that is under way return EINTR, if it blocks. */
  interrupt(): void {
    this.#process.kill("SIGUSR1");
  }

  /** Ends the process; one that still waits in a call is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#pending.length > 0) this.kill();
    await this.#input.close().catch(() => {});
    await this.#listening;
    await this.#process.status;
  }

  /** Ends the process at once, as SIGKILL does; calls under way are rejected. */
  kill(): void {
    if (!this.#ended) this.#process.kill("SIGKILL");
  }

  async #listen(): Promise<void> {
    const lines: ReadableStream<string> = this.#process.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(
      new TextLineStream(),
    );
    for await (const line of lines) this.#settle(line);
    this.#ended = true;
    for (const pending of this.#pending.splice(0)) {
      clearTimeout(pending.timer);
      pending.reject(new Error(`The process ended while it was to do: ${pending.command}`));
    }
  }

  #settle(line: string): void {
    const pending = this.#pending.shift();
    if (!pending) throw new Error(`An answer to no call: ${line}`);
    clearTimeout(pending.timer);
    const [outcome, ...values] = line.split(" ");
    if (outcome === "ok") pending.resolve(values);
    else if (outcome === "error") pending.reject(new PosixError(values[0]!, pending.command));
    else pending.reject(new Error(`${pending.command}: ${line}`));
  }

  #expectAnswer(command: string): Promise<string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    const timer = setTimeout(() => {
      reject(new Error(`Still waiting after ${PATIENCE} s: ${command}`));
      this.kill();
    }, PATIENCE * 1000);
    this.#pending.push({ command, resolve, reject, timer });
    return promise;
  }

  #call(...words: Word[]): Promise<string[]> {
    const command = words.map(encodeWord).join(" ");
    if (this.#ended) return Promise.reject(new Error(`The process has ended and cannot do: ${command}`));
    const answer = this.#expectAnswer(command.length > 300 ? `${command.slice(0, 300)}…` : command);
    // A process that died makes the write fail; the answer tells of it.
    this.#input.write(this.#encoder.encode(command + "\n")).catch(() => {});
    return answer;
  }

  async #number(...words: Word[]): Promise<number> {
    return Number((await this.#call(...words))[0]);
  }

  async #nothing(...words: Word[]): Promise<void> {
    await this.#call(...words);
  }

  async #bytes(...words: Word[]): Promise<Uint8Array> {
    return decodeWord((await this.#call(...words))[0]!);
  }

  async #status(...words: Word[]): Promise<Status> {
    return parseStatus(await this.#call(...words));
  }

  // Files. File descriptors are numbers of the client's process.

  open(path: Path, flags: Flags, mode = 0o644): Promise<number> {
    return this.#number("open", path, flags, mode);
  }
  openat(directory: number, path: Path, flags: Flags, mode = 0o644): Promise<number> {
    return this.#number("openat", directory, path, flags, mode);
  }
  close(file: number): Promise<void> {
    return this.#nothing("close", file);
  }
  dup(file: number): Promise<number> {
    return this.#number("dup", file);
  }
  read(file: number, size: number): Promise<Uint8Array> {
    return this.#bytes("read", file, size);
  }
  pread(file: number, size: number, offset: number): Promise<Uint8Array> {
    return this.#bytes("pread", file, size, offset);
  }
  write(file: number, data: string | Uint8Array): Promise<number> {
    return this.#number("write", file, data);
  }
  pwrite(file: number, data: string | Uint8Array, offset: number): Promise<number> {
    return this.#number("pwrite", file, data, offset);
  }
  /** Writes bytes that follow from their position and `seed`. */
  async pwritePattern(file: number, offset: number, size: number, seed = 0): Promise<void> {
    await this.#call("pwrite_pattern", file, offset, size, seed);
  }
  /** The first position whose byte is not pwritePattern's, or undefined. */
  async differsFromPattern(file: number, offset: number, size: number, seed = 0): Promise<number | undefined> {
    const [answer] = await this.#call("differs_from_pattern", file, offset, size, seed);
    return answer === "same" ? undefined : Number(answer);
  }
  lseek(file: number, offset: number | bigint, whence: Flags = "SEEK_SET"): Promise<number> {
    return this.#number("lseek", file, offset, whence);
  }
  truncate(path: Path, size: number): Promise<void> {
    return this.#nothing("truncate", path, size);
  }
  ftruncate(file: number, size: number): Promise<void> {
    return this.#nothing("ftruncate", file, size);
  }
  fallocate(file: number, mode: Flags, offset: number, length: number): Promise<void> {
    return this.#nothing("fallocate", file, mode, offset, length);
  }
  copyFileRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): Promise<number> {
    return this.#number("copy_file_range", from, fromOffset, to, toOffset, length);
  }
  fsync(file: number): Promise<void> {
    return this.#nothing("fsync", file);
  }
  fdatasync(file: number): Promise<void> {
    return this.#nothing("fdatasync", file);
  }
  syncfs(file: number): Promise<void> {
    return this.#nothing("syncfs", file);
  }
  /** The events that poll(2) reports within `timeout` milliseconds, as a number. */
  poll(file: number, events: Flags, timeout: number): Promise<number> {
    return this.#number("poll", file, events, timeout);
  }

  // Attributes.

  stat(path: Path): Promise<Status> {
    return this.#status("stat", path);
  }
  lstat(path: Path): Promise<Status> {
    return this.#status("lstat", path);
  }
  fstat(file: number): Promise<Status> {
    return this.#status("fstat", file);
  }
  /** The time of birth, or undefined where the filesystem keeps none. */
  async birthTime(path: Path): Promise<Nanoseconds | undefined> {
    const [seconds, nanoseconds] = await this.#call("birth_time", path);
    return seconds === undefined ? undefined : toNanoseconds(seconds, nanoseconds!);
  }
  async statfs(path: Path): Promise<Statistics> {
    const [blockSize, blocks, free, available, files, filesFree, nameLength] = (await this.#call("statfs", path)).map(
      Number,
    ) as [number, number, number, number, number, number, number];
    return { blockSize, blocks, free, available, files, filesFree, nameLength };
  }
  chmod(path: Path, mode: number): Promise<void> {
    return this.#nothing("chmod", path, mode);
  }
  fchmod(file: number, mode: number): Promise<void> {
    return this.#nothing("fchmod", file, mode);
  }
  chown(path: Path, uid: number, gid: number): Promise<void> {
    return this.#nothing("chown", path, uid, gid);
  }
  lchown(path: Path, uid: number, gid: number): Promise<void> {
    return this.#nothing("lchown", path, uid, gid);
  }
  fchown(file: number, uid: number, gid: number): Promise<void> {
    return this.#nothing("fchown", file, uid, gid);
  }
  /** Without `flags` a symlink is followed; `AT_SYMLINK_NOFOLLOW` means the link itself. */
  utimensat(path: Path, atime: TimeToSet, mtime: TimeToSet, flags: Flags = 0): Promise<void> {
    return this.#nothing("utimensat", "AT_FDCWD", path, ...timeWords(atime), ...timeWords(mtime), flags);
  }
  futimens(file: number, atime: TimeToSet, mtime: TimeToSet): Promise<void> {
    return this.#nothing("futimens", file, ...timeWords(atime), ...timeWords(mtime));
  }
  access(path: Path, mask: Flags): Promise<void> {
    return this.#nothing("access", path, mask);
  }
  setxattr(path: Path, name: string, value: string | Uint8Array, flags: Flags = 0): Promise<void> {
    return this.#nothing("setxattr", path, name, value, flags);
  }
  lsetxattr(path: Path, name: string, value: string | Uint8Array, flags: Flags = 0): Promise<void> {
    return this.#nothing("lsetxattr", path, name, value, flags);
  }
  fsetxattr(file: number, name: string, value: string | Uint8Array, flags: Flags = 0): Promise<void> {
    return this.#nothing("fsetxattr", file, name, value, flags);
  }
  getxattr(path: Path, name: string, size = 65_536): Promise<Uint8Array> {
    return this.#bytes("getxattr", path, name, size);
  }
  lgetxattr(path: Path, name: string, size = 65_536): Promise<Uint8Array> {
    return this.#bytes("lgetxattr", path, name, size);
  }
  fgetxattr(file: number, name: string, size = 65_536): Promise<Uint8Array> {
    return this.#bytes("fgetxattr", file, name, size);
  }
  /** The length of a value, asked for with no buffer. */
  getxattrSize(path: Path, name: string): Promise<number> {
    return this.#number("getxattr_size", path, name);
  }
  async listxattr(path: Path, size = 65_536): Promise<string[]> {
    return splitNames(await this.#bytes("listxattr", path, size));
  }
  async llistxattr(path: Path, size = 65_536): Promise<string[]> {
    return splitNames(await this.#bytes("llistxattr", path, size));
  }
  /** The length of the list, asked for with no buffer. */
  listxattrSize(path: Path): Promise<number> {
    return this.#number("listxattr_size", path);
  }
  removexattr(path: Path, name: string): Promise<void> {
    return this.#nothing("removexattr", path, name);
  }
  lremovexattr(path: Path, name: string): Promise<void> {
    return this.#nothing("lremovexattr", path, name);
  }

  // Names and directories.

  mkdir(path: Path, mode = 0o755): Promise<void> {
    return this.#nothing("mkdir", path, mode);
  }
  rmdir(path: Path): Promise<void> {
    return this.#nothing("rmdir", path);
  }
  mknod(path: Path, type: string, mode = 0o644, major = 0, minor = 0): Promise<void> {
    return this.#nothing("mknod", path, `${type}|${mode}`, major, minor);
  }
  symlink(target: Path, path: Path): Promise<void> {
    return this.#nothing("symlink", target, path);
  }
  async readlink(path: Path, size = 4096): Promise<string> {
    return decodeName(await this.#bytes("readlink", path, size));
  }
  link(existing: Path, path: Path): Promise<void> {
    return this.#nothing("link", existing, path);
  }
  /** Links an open file (`AT_EMPTY_PATH` with an empty path) or a path. The new name is taken from the working directory. */
  linkat(directory: number | "AT_FDCWD", existing: Path, path: Path, flags: Flags): Promise<void> {
    return this.#nothing("linkat", directory, existing, "AT_FDCWD", path, flags);
  }
  unlink(path: Path): Promise<void> {
    return this.#nothing("unlink", path);
  }
  rename(from: Path, to: Path): Promise<void> {
    return this.#nothing("rename", from, to);
  }
  renameat2(from: Path, to: Path, flags: Flags): Promise<void> {
    return this.#nothing("renameat2", from, to, flags);
  }
  /** What one getdents64(2) with a buffer of `size` bytes answers; nothing at the end. */
  async getdents(directory: number, size = 32_768): Promise<DirectoryEntry[]> {
    return parseEntries(await this.#call("getdents", directory, size));
  }
  chdir(path: Path): Promise<void> {
    return this.#nothing("chdir", path);
  }
  async getcwd(): Promise<string> {
    return decodeName(await this.#bytes("getcwd"));
  }
  /** Answers the mask that was. */
  umask(mask: number): Promise<number> {
    return this.#number("umask", mask);
  }

  // Locks and mappings.

  /** `command` is F_SETLK, F_SETLKW, F_OFD_SETLK or F_OFD_SETLKW; a length of 0 reaches to the end. */
  setLock(file: number, command: string, type: string, start = 0, length = 0): Promise<void> {
    return this.#nothing("fcntl_lock", file, command, type, start, length);
  }
  /** The lock that keeps `type` from being set, or undefined; `command` is F_GETLK or F_OFD_GETLK. */
  async getLock(
    file: number,
    command: string,
    type: string,
    start = 0,
    length = 0,
  ): Promise<LockInTheWay | undefined> {
    const [found, ...rest] = await this.#call("fcntl_lock", file, command, type, start, length);
    if (found === "F_UNLCK") return undefined;
    const [foundStart, foundLength, pid] = rest.map(Number) as [number, number, number];
    return { type: found!, start: foundStart, length: foundLength, pid };
  }
  flock(file: number, operation: Flags): Promise<void> {
    return this.#nothing("flock", file, operation);
  }
  /** Answers a number for the mapping, to be given to peek, poke, msync and munmap. */
  mmap(file: number, offset: number, length: number, protection: Flags, flags: Flags): Promise<number> {
    return this.#number("mmap", file, offset, length, protection, flags);
  }
  munmap(mapping: number): Promise<void> {
    return this.#nothing("munmap", mapping);
  }
  msync(mapping: number, flags: Flags = "MS_SYNC"): Promise<void> {
    return this.#nothing("msync", mapping, flags);
  }
  peek(mapping: number, offset: number, length: number): Promise<Uint8Array> {
    return this.#bytes("peek", mapping, offset, length);
  }
  poke(mapping: number, offset: number, data: string | Uint8Array): Promise<void> {
    return this.#nothing("poke", mapping, offset, data);
  }

  // Sockets and processes.

  /** A stream socket bound to `path`, which makes the node. */
  bind(path: Path): Promise<number> {
    return this.#number("bind", path);
  }
  listen(socket: number): Promise<void> {
    return this.#nothing("listen", socket);
  }
  accept(socket: number): Promise<number> {
    return this.#number("accept", socket);
  }
  connect(path: Path): Promise<number> {
    return this.#number("connect", path);
  }
  /** Starts a program and answers its process id once it runs; throws what execve threw. */
  spawn(program: Path, ...parameters: string[]): Promise<number> {
    return this.#number("spawn", program, ...parameters);
  }
  /** Waits for a spawned process: its exit code, or 128 and the signal. */
  waitpid(pid: number): Promise<number> {
    return this.#number("waitpid", pid);
  }
  killProcess(pid: number, signal: Flags = "SIGKILL"): Promise<void> {
    return this.#nothing("kill", pid, signal);
  }

  /** Removes `path` and all below it, if it is there. */
  removeTree(path: Path): Promise<void> {
    return this.#nothing("remove_tree", path);
  }
}
