/** Tells the service manager that started this process how the mount is, as sd_notify(3) does: `Type=notify`. */
import { AF_UNIX, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_DGRAM } from "../../ffi/libc.ts";
import { openLibc } from "../../ffi/library.ts";
import { errnoName } from "../fs/errors.ts";

/** sun_path of struct sockaddr_un (unix(7)), with a zero at its end. */
const LONGEST_NAME = 107;

/** What there is to say of a service, such as `READY: "1"`; see sd_notify(3). */
export type ServiceState = Readonly<Record<string, string>>;

/** The socket on which a service manager listens. */
export class NotifySocket {
  readonly #name: string;

  /** `name` is a path, or after an `@` an abstract name. */
  constructor(name: string) {
    this.#name = name;
  }

  /** The one that the environment names. It is not for programs that this process starts, so it leaves the environment. */
  static take(): NotifySocket | undefined {
    const socket = Deno.env.get("NOTIFY_SOCKET");
    Deno.env.delete("NOTIFY_SOCKET");
    return socket ? new NotifySocket(socket) : undefined;
  }

  /** A mount is worth having without whoever waits for the word: what fails is a line on standard error. */
  tell(state: ServiceState): void {
    const lines = Object.entries(state).map(([name, value]) => `${name}=${value.replaceAll("\n", " ")}\n`);
    const reason = sendTo(this.#name, new TextEncoder().encode(lines.join("")));
    if (reason !== undefined) console.error(`Note: cannot tell the service manager at ${this.#name}: ${reason}`);
  }
}

/** Sends one datagram, and says why when it cannot. */
function sendTo(socket: string, datagram: Uint8Array<ArrayBuffer>): string | undefined {
  if (!/^[/@]./.test(socket)) return "it is neither a path nor an abstract socket";
  const name = new TextEncoder().encode(socket);
  if (name.length > LONGEST_NAME) return "its name is too long";
  const { symbols, errno } = openLibc();
  const descriptor = symbols.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return errnoName(errno[0]!);
  const address = addressOf(name);
  const sent = symbols.sendto(descriptor, datagram, datagram.length, MSG_NOSIGNAL, address, address.length);
  const reason = sent === datagram.length ? undefined : errnoName(errno[0]!);
  symbols.close(descriptor);
  return reason;
}

/** struct sockaddr_un: an abstract name begins with a zero in the place of the `@`, and ends where the address ends. */
function addressOf(name: Uint8Array): Uint8Array<ArrayBuffer> {
  const isAbstract = name[0] === "@".charCodeAt(0);
  const address = new Uint8Array(2 + name.length + (isAbstract ? 0 : 1));
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(name, 2);
  if (isAbstract) address[2] = 0;
  return address;
}
