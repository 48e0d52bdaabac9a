/**
 * Where a server's process begins: with the thread of its first loop, which takes longest. It is told what it serves on
 * standard input (`server.ts`), and given the descriptors over the socket whose number is its argument.
 */
import { beginLoopThread } from "../threads/loop_thread.ts";

beginLoopThread();
// Not before, nor so that Deno sees it: it would read all those files first. They are loaded while the thread begins.
await import(new URL("./server.ts", import.meta.url).href);
