/** The descriptors that a "start" names: by the keeper's numbers on its way, by the server's once that has them. */
import { openLibc } from "../../ffi/library.ts";
import { givenDescriptorsOf, renumberKept } from "../kept/kept_state.ts";
import type { ServerStart } from "./messages.ts";
import { receiveDescriptors } from "./passed_descriptors.ts";

/** All of them, in the order in which they go over the socket. */
export function descriptorsOf({ devices, kept, file }: ServerStart): number[] {
  return [...devices, ...givenDescriptorsOf(kept), file];
}

/** Takes them out of the socket, which is closed: the message with this process's numbers. @throws {Error} */
export function takeDescriptors(socket: number, start: ServerStart): ServerStart {
  const named = descriptorsOf(start);
  const own = receiveDescriptors(socket, named.length);
  openLibc().symbols.close(socket);
  const numbers = new Map(named.map((number, at) => [number, own[at]!]));
  const renumber = (number: number) => numbers.get(number)!;
  return {
    ...start,
    devices: start.devices.map(renumber),
    kept: renumberKept(start.kept, renumber),
    file: renumber(start.file),
  };
}
