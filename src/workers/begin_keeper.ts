/** Where a keeper's process begins: with its first server, which takes longest, and which it needs in any case. */
import { beginServer } from "../keeper/begun_server.ts";

beginServer();
// Not before, nor so that Deno sees it: it would read all those files first. They are loaded while the server begins.
await import(new URL("./keeper.ts", import.meta.url).href);
