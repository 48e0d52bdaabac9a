/** Whiteouts come and go with what they hide: whatever fails on a branch, nothing that was deleted or replaced is seen again. */
import { FsError } from "../../fs/errors.ts";
import type { NodeId, RequestContext } from "../../fs/filesystem.ts";
import type { CopyUp } from "./copy_up.ts";
import type { KeptTables } from "./kept_tables.ts";
import { makeWhiteout, temporaryName } from "./marks.ts";
import type { Member } from "./member.ts";
import type { Place } from "./nodes.ts";
import { type Finding, isSeen, type Resolution } from "./resolution.ts";
import { asServer, atOwnWill } from "./server_context.ts";
import { type Steps, wait } from "./steps.ts";

export class Whiteouts {
  readonly #members: readonly Member[];
  readonly #resolution: Resolution;
  readonly #copyUp: CopyUp;
  readonly #tables: KeptTables | undefined;

  constructor(members: readonly Member[], resolution: Resolution, copyUp: CopyUp, tables: KeptTables | undefined) {
    this.#members = members;
    this.#resolution = resolution;
    this.#copyUp = copyUp;
    this.#tables = tables;
  }

  /**
   * Makes what is to be seen under a name, for which the whiteouts of the branches up to `last` go. They are put back where
   * it cannot be made: what was deleted stays deleted.
   */
  *uncovered<T>(
    { parent, name }: Place,
    findings: readonly Finding[],
    last: Member,
    making: Steps<T>,
    context: RequestContext,
  ): Steps<T> {
    const [members, resolution] = [this.#members, this.#resolution];
    const covered = members.slice(0, last.index + 1).filter(({ index }) => findings[index] === "whiteout");
    for (const member of covered) {
      const directory = parent.parts[member.index]!;
      if (!(yield* resolution.isStill("whiteout", member, directory, name, context))) continue;
      yield* wait(member.need("unlink")(directory, name, asServer(context)));
    }
    try {
      return yield* making;
    } catch (error) {
      for (const member of covered) {
        const directory = parent.parts[member.index]!;
        const found = yield* resolution.look(member, directory, name, context);
        if (found === "nothing") yield* makeWhiteout(member, directory, name, atOwnWill(context));
      }
      throw error;
    }
  }

  /**
   * Takes a name away from the branches of which `goes` is true, and puts a whiteout before what others would show under it
   * then. The whiteout is made beforehand, under a name of the union's own: where there is no room for it nothing has
   * happened yet, and no older file comes to light.
   *
   * @throws FsError `EROFS` where no branch can have the whiteout.
   */
  *hidden(
    place: Place,
    goes: (member: number) => boolean,
    removing: Steps<void>,
    context: RequestContext,
  ): Steps<void> {
    const { plan } = this.#tables ?? {};
    const temporary = temporaryName(plan && `${plan.mark}-whiteout`);
    const whiteout = yield* this.prepare(place, temporary, goes, context);
    if (whiteout === undefined) return yield* removing;
    const { member, directory } = whiteout;
    try {
      yield* removing;
    } catch (error) {
      yield* wait(member.need("unlink")(directory, temporary, atOwnWill(context)));
      throw error;
    }
    yield* wait(member.need("rename")(directory, temporary, directory, place.name, 0, atOwnWill(context)));
  }

  /** Makes the whiteout that is needed when the name has gone from the branches of which `goes` is true, if any. */
  *prepare(
    { parent, name }: Place,
    whiteout: string,
    goes: (member: number) => boolean,
    context: RequestContext,
  ): Steps<{ member: Member; directory: NodeId } | undefined> {
    const [members, resolution] = [this.#members, this.#resolution];
    const findings = yield* resolution.survey(parent, name, context);
    const first = findings.findIndex((finding, index) => finding !== "nothing" && !goes(index));
    if (first < 0 || !isSeen(findings[first])) return undefined;
    const member = members.find(({ index, writable }) => writable && index < first);
    if (member === undefined) {
      throw new FsError("EROFS", `Cannot remove "${name}" in ${parent.path}: no branch in front of it is writable`);
    }
    const directory = yield* this.#copyUp.directory(parent, member, context);
    // A server before may have made it.
    const isMade = context.resent &&
      (yield* resolution.look(member, directory, whiteout, context)) === "whiteout";
    if (!isMade) yield* makeWhiteout(member, directory, whiteout, atOwnWill(context));
    return { member, directory };
  }
}
