/**
 * Entry point of a notify handler: takes notifications to the kernel, one after another. It never serves requests, so it
 * may wait for locks that the kernel holds until a request is answered.
 */
import { openLibc } from "../../ffi/library.ts";
import { Receiver } from "../channels/channel_ends.ts";
import type { Envelope, FromNotifier, NotifierStart, ToNotifier } from "../messages.ts";
import { encodeNotification } from "../protocol/notification.ts";

declare const self: {
  onmessage: (event: MessageEvent<ToNotifier>) => void;
  postMessage(message: FromNotifier): void;
  close(): void;
};

/** Leaves the channel and closes the descriptor; set when the worker has started. */
let end = () => {};

self.onmessage = ({ data }) => {
  if (data.kind === "start") return start(data);
  end();
  self.postMessage("ended");
  self.close();
};

function start({ device, port }: NotifierStart): void {
  const { symbols, errno } = openLibc();
  const receiver = new Receiver<Envelope>(port);
  end = () => {
    receiver[Symbol.dispose]();
    // Closed here and nowhere else: its number may not be another file's while a notification is on its way.
    symbols.close(device);
  };
  receiver.onMessage = ({ tickets, notification }) => {
    const message = encodeNotification(notification, tickets[0] ?? 0);
    const failed = symbols.write(device, message, message.length) < 0;
    if (tickets.length > 0) self.postMessage({ tickets, errno: failed ? errno[0]! : 0 });
  };
}
