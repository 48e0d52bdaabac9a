/** Requests and answers as lines for people: what `debug` shows. */
import { OPCODE } from "../../ffi/kernel.ts";
import { errnoName } from "../fs/errors.ts";
import type { Answer } from "./dispatch.ts";
import type { RequestView } from "./request.ts";

const NAMES = new Map<number, string>(Object.entries(OPCODE).map(([name, opcode]) => [opcode, name]));

/** Gives back an `answer` that tells `trace` of each request as it is answered. */
export function traceAnswers(answer: Answer, trace: (line: string) => void): Answer {
  return (request, length) => {
    // The answer may overwrite the request.
    const asked = describe(request);
    const taken = answer(request, length);
    trace(`${asked} -> ${length < 0 ? errnoName(-length) : `${length} bytes`}${taken ? "" : ", too late"}`);
    return taken;
  };
}

function describe(request: RequestView): string {
  const { opcode, uniqueLower, node, uid, gid, pid } = request;
  return `#${uniqueLower} ${NAMES.get(opcode) ?? `opcode ${opcode}`} node ${node} by ${uid}:${gid} pid ${pid}`;
}
