/** Types only: all that crosses between the isolate that mounts and the loops. */
import type { BranchPoint, ChangedName, HeldBranch, PlaceNumbers } from "./fs/branches.ts";
import type { ErrnoName } from "./fs/errors.ts";
import type { Agreed } from "./fs/module.ts";
import type { MetricsBlock } from "./metrics/metrics.ts";
import type { Notification } from "./protocol/notification.ts";
import type { ReplyDefaults } from "./protocol/reply.ts";

/** To a new loop worker: what to serve. Answered with `LoopReady` or `LoopFailed`. */
export interface LoopStart {
  readonly kind: "start";
  readonly loop: number;
  readonly loops: number;
  /** The module that the loop loads; see `src/fs/module.ts`. */
  readonly module: string;
  readonly options: unknown;
  /** What the module's `prepare` returned. */
  readonly shared: unknown;
  /** How many servers there were before this one, where a keeper holds the mount. */
  readonly restarts?: number;
  /** What the kernel was told of their filesystem. */
  readonly agreed?: Agreed | undefined;
  /** What their tree has become since the mount began: to be made one after the other. */
  readonly changes?: readonly LoopBranchChange[];
}

/** How to serve a mount: what loops and handlers are told once it is live. */
export interface ServeSettings {
  /** The server's own descriptor of the connection. */
  readonly device: number;
  /** An epoll descriptor that waits for the device, and for the wish to stop; see `src/transport/device_poll.ts`. */
  readonly poll: number;
  /** The wish to stop by itself: an eventfd of the session that is readable from then on. */
  readonly stop: number;
  /** The same for who is so busy that it never comes to wait: one word, not 0 from then on; see `src/transport/stop.ts`. */
  readonly stopped: Int32Array<SharedArrayBuffer>;
  readonly minor: number;
  readonly features: ReadonlySet<string>;
  readonly maxWrite: number;
  readonly defaults: ReplyDefaults;
  /** Whether every request is to be logged. */
  readonly debug: boolean;
  /** Where loops write down the interrupts they read; see `src/session/interrupts.ts`. */
  readonly interrupts: Int32Array<SharedArrayBuffer>;
  /** How the loops over a device share its attendance; undefined for one that is alone. */
  readonly attendance?: LoopAttendance | undefined;
  /** Where servers count what is open; see `src/transport/open_nodes.ts`. Undefined without the feature `passthrough`. */
  readonly openNodes: Int32Array<SharedArrayBuffer> | undefined;
  /** Where loops and handlers write down what they are at; see `src/kept/journal.ts`. Only where a keeper holds the mount. */
  readonly journal?: SharedArrayBuffer;
  /** How often a handler shows there that it comes round to its events, in milliseconds. */
  readonly heartbeat?: number;
}

/** One loop's part in who attends to the device; see `src/session/attendance.ts`. */
export interface LoopAttendance {
  /** What all loops share. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** An eventfd that calls all that rest, and a timerfd that wakes one of them. */
  readonly rally: number;
  readonly timer: number;
  /** An epoll descriptor of this loop's that waits for these two, and for the wish to stop. */
  readonly rest: number;
  /** This loop's number, from 1. */
  readonly number: number;
}

/** To a ready loop: serve until the end. Answered with `LoopEnded` or `LoopFailed`. */
export interface LoopServe {
  readonly kind: "serve";
  readonly settings: ServeSettings;
  /** Where the loop's notifications go: a sender's port. */
  readonly notifications: MessagePort;
  /** The ways to the handlers beside the loops, and which loop this is; see `src/transport/forwarding.ts`. */
  readonly forwarding?: { readonly senders: readonly number[]; readonly loop: number };
  /** Where the loop counts what it does. */
  readonly metrics: MetricsBlock;
  /** One word: how often the loop is called, to take a `LoopCommand`; see `src/session/doorbell.ts`. */
  readonly call: Int32Array<SharedArrayBuffer>;
}

/**
 * What a serving loop can be told to do between two requests, and a handler beside loops at any time, with what it is
 * given and what it answers. A new command is a new line here and in `src/session/loop_commands.ts`.
 */
export interface LoopCommands {
  /** Make the branches that are to come, and be ready to change the tree. A handler answers what it has made. */
  prepareBranches: { readonly given: LoopBranchChange; readonly answer: readonly MadeInHandler[] };
  /** Change the tree as prepared. */
  commitBranches: { readonly given: undefined; readonly answer: readonly ChangedName[] };
  /** Forget what was prepared. */
  abandonBranches: { readonly given: undefined; readonly answer: void };
  /** All loops have changed their trees: what was removed can go. Answers what `countBranches` did until then. */
  dropBranches: { readonly given: readonly LoopDroppedBranch[]; readonly answer: readonly HeldBranch[] };
  /** Say by which numbers the tree knows paths. */
  numberPlaces: { readonly given: undefined; readonly answer: PlaceNumbers };
  /** Say what the kernel holds of each branch. */
  countBranches: { readonly given: undefined; readonly answer: readonly HeldBranch[] };
}

export type LoopCommandName = keyof LoopCommands;

/** A change as a loop is told of it: it makes the filesystems by itself. See `src/fs/branches.ts`. */
export interface LoopBranchChange {
  readonly removed: readonly string[];
  readonly added: readonly LoopNewBranch[];
  /** For a handler that was not there when the others changed their trees. */
  readonly numbers?: PlaceNumbers;
}

/** What a branch can do that a handler has made, for the loops to stand in for it. */
export interface MadeInHandler {
  readonly id: number;
  readonly methods: readonly string[];
  readonly features: readonly string[];
}

/** A branch that a loop is to make, by its module, or the handler that serves it. */
export interface LoopNewBranch extends BranchPoint {
  readonly generation: number;
  readonly module: string;
  readonly options: unknown;
  /** What the module's `prepare` returned. */
  readonly shared: unknown;
  /** How many loops have it. */
  readonly loops: number;
  /** As `LoopStart` has it; of one in a handler how many died in its place. */
  readonly restarts?: number;
  /** To loops, of one in a handler: what that has made, and the way to it. */
  readonly made?: MadeInHandler;
  readonly sender?: number;
}

/** A branch that is to go; with the count of its open files it goes lazily, and the last loop says `LoopUnused`. */
export interface LoopDroppedBranch {
  readonly id: number;
  /** The handler that ends with it: nothing is handed on to that any more. */
  readonly handler?: number | undefined;
  readonly openFiles?: Int32Array<SharedArrayBuffer> | undefined;
}

/** To a serving loop, which is then called: what to do. Answered with `LoopAnswer`, in their order. */
export interface LoopCommand<Name extends LoopCommandName = LoopCommandName> {
  readonly kind: "command";
  readonly name: Name;
  readonly given: LoopCommands[Name]["given"];
}

/** The module that a loop will be told to start, so that it is loaded when that comes. */
export interface LoopLoad {
  readonly kind: "load";
  readonly module: string;
}

export type ToLoop = LoopLoad | LoopStart | LoopServe | LoopCommand;

/** The filesystem is made; what it has, so that the kernel can be asked for what fits. */
export interface LoopReady {
  readonly kind: "ready";
  readonly methods: readonly string[];
  readonly features: readonly string[];
  /** Whether it leaves the counting of lookups to the library, which can count for one isolate only. */
  readonly needsCounts: boolean;
  /** Where its branches are grafted, when it is a tree whose branches can be changed. */
  readonly branches?: readonly BranchPoint[];
}

/** What a loop answers to a command, or why it did nothing. */
export interface LoopAnswer {
  readonly kind: "answer";
  readonly answer?: LoopCommands[LoopCommandName]["answer"];
  /** What was thrown; as `FsError`, when it has a code. */
  readonly thrown?: {
    readonly code: ErrnoName | undefined;
    readonly message: string;
    readonly stack: string | undefined;
  };
}

/** The last open file of a branch that goes lazily was closed. */
export interface LoopUnused {
  readonly kind: "unused";
  readonly branch: number;
}

/** Why a server has come to its end. */
export type EndReason = "unmounted" | "aborted" | "stopped";

/** The loop has ended: unmounted, aborted through /sys/fs/fuse/connections, or told to stop. */
export interface LoopEnded {
  readonly kind: "ended";
  readonly reason: EndReason;
  /** Of a handler: what the kernel holds of the branches. */
  readonly held?: readonly HeldBranch[] | undefined;
}

/** The loop cannot go on, or could not begin. */
export interface LoopFailed {
  readonly kind: "failed";
  readonly message: string;
  readonly stack: string | undefined;
}

/** A line for the log, such as an exception of a filesystem. */
export interface LogRecord {
  readonly kind: "log";
  readonly message: string;
  /** The stack of what was thrown, or the thing itself as text. */
  readonly detail: string;
}

export type FromLoop = LoopReady | LoopAnswer | LoopUnused | LoopEnded | LoopFailed | LogRecord;

/** A notification on its way to the kernel, and who waits for the outcome: with another isolate's, nobody. */
export interface Envelope {
  readonly tickets: number[];
  readonly notification: Notification;
}

/** What a notify worker's thread is called: TASK_COMM_LEN of the kernel is 16, with the zero. */
export const NOTIFY_THREAD = "trellis-notify";

/** To a new notify worker: a descriptor of the connection, the worker's own from now on, and where `Envelope`s come. */
export interface NotifierStart {
  readonly kind: "start";
  readonly device: number;
  readonly port: MessagePort;
}

/** To a notify worker: close the descriptor and end. Answered with "ended". */
export interface NotifierEnd {
  readonly kind: "end";
}

export type ToNotifier = NotifierStart | NotifierEnd;

/** What came of a notification: 0, the kernel's errno, or why there was nothing to send. */
export type NotifyAnswer = number | string;

export type FromNotifier = "ended";

/** To a new watcher: what to watch, and the flag that says when. Each time it finds something it answers with `Watched`. */
export interface WatcherStart {
  readonly poll: number;
  /** One word of shared memory; its values are in `src/handler/watcher.ts`. */
  readonly flag: Int32Array<SharedArrayBuffer>;
  /** Calls the others of a pool when this one does not come round; see `src/handler/rally.ts`. */
  readonly rally?: number | undefined;
}

/** Something is there: true when it is the wish to stop. */
export type Watched = boolean;
