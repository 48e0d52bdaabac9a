/** Makes what is wanted under a name on one branch. */
import type { Entry } from "../../fs/attributes.ts";
import type { NodeId, Opened, RequestContext } from "../../fs/filesystem.ts";
import { copyAttributes } from "../support/copy_attributes.ts";
import type { Member } from "./member.ts";
import type { Making } from "./plans.ts";
import { type Steps, wait } from "./steps.ts";

/** `opened` is there for files, which are made and opened by one call. */
export function* makeOn(
  member: Member,
  directory: NodeId,
  name: string,
  making: Making,
  context: RequestContext,
): Steps<{ entry: Entry; opened?: Opened }> {
  switch (making.type) {
    case "directory":
      return { entry: yield* wait(member.makeDirectory(directory, name, making.mode, context)) };
    case "node":
      return { entry: yield* wait(member.makeNode(directory, name, making.mode, making.device, context)) };
    case "link":
      return { entry: yield* wait(member.makeSymbolicLink(directory, name, making.target, context)) };
    case "file": {
      const made = yield* wait(member.create(directory, name, making.mode, making.flags, context));
      const { entry, opened } = made;
      return { entry: { ...entry, attributes: copyAttributes(entry.attributes, {}) }, opened: { ...opened } };
    }
  }
}
