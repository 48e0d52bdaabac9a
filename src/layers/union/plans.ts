/**
 * What a request of several steps is about to do, decided before the first of them. Where a union outlives its server, that
 * is written down, and the next server does all of it before it serves anybody: so nobody sees it half done.
 */
import type { NodeId, RequestContext } from "../../fs/filesystem.ts";
import type { Finding } from "./resolution.ts";

/** What is made under a name. */
export type Making =
  | { readonly type: "directory"; readonly mode: number }
  | { readonly type: "node"; readonly mode: number; readonly device: number }
  | { readonly type: "link"; readonly target: string }
  | { readonly type: "file"; readonly mode: number; readonly flags: number };

/** A name in a directory, by node. */
export type PlannedPlace = readonly [parent: NodeId, name: string];

/** What is done, with what was found beforehand. `member` is the branch where it is done. */
export type Step =
  | {
    readonly action: "make";
    readonly place: PlannedPlace;
    readonly making: Making;
    readonly member: number;
    readonly findings: readonly Finding[];
  }
  | { readonly action: "unlink"; readonly place: PlannedPlace; readonly node: NodeId; readonly member: number }
  | { readonly action: "removeDirectory"; readonly place: PlannedPlace; readonly node: NodeId }
  | {
    readonly action: "link";
    readonly place: PlannedPlace;
    readonly node: NodeId;
    readonly member: number;
    readonly findings: readonly Finding[];
  }
  | {
    readonly action: "move";
    readonly place: PlannedPlace;
    readonly newPlace: PlannedPlace;
    readonly node: NodeId;
    readonly replaced: NodeId | null;
    readonly member: number;
    readonly findings: readonly Finding[];
  }
  | {
    readonly action: "exchange";
    readonly place: PlannedPlace;
    readonly newPlace: PlannedPlace;
    readonly node: NodeId;
    readonly other: NodeId;
    readonly member: number;
  }
  /** A file, or a directory without what is in it, comes to a branch. */
  | { readonly action: "copy"; readonly node: NodeId; readonly member: number };

/** A step, and whose request it is. */
export interface Plan {
  readonly step: Step;
  readonly caller: Pick<RequestContext, "uid" | "gid" | "pid" | "umask" | "unique">;
  /** Part of the names of files in the making. */
  readonly mark: string;
}

/** The request of a plan that another server began. */
export function contextOf({ caller }: Plan): RequestContext {
  return {
    ...caller,
    resent: true,
    signal: new AbortController().signal,
    allocate: (size) => new Uint8Array(size),
  };
}
