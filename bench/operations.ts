/** Operations on files that the client in C repeats (see client.c, which says what each of them is). */
import { run } from "./run_program.ts";

/** By group, in the order in which the client does them: `unlink` removes what `create` made. */
export const OPERATIONS = {
  metadata: ["stat", "negative", "open", "read1k", "readdir", "create", "rename", "symlink", "unlink"],
  data: [
    "read4k",
    "read1m",
    "random_read4k",
    "random_read1m",
    "write4k",
    "write1m",
    "random_write4k",
    "random_write1m",
    "fsync",
    "mmap",
  ],
} as const;

/** Makes the files that the operations work on, for so many clients; `listed` are to be listed. */
export async function prepareFiles(client: string, path: string, clients: number, listed: number): Promise<void> {
  await run(client, [path, "prepare", String(clients), String(listed)]);
}

/** Microseconds of each operation, or why it failed. */
export async function runOperations(
  client: string,
  path: string,
  clients: number,
  milliseconds: number,
  operations: readonly string[],
): Promise<[operation: string, found: number | Error][]> {
  try {
    const output = await run(client, [path, String(milliseconds), String(clients), ...operations]);
    return output.trim().split("\n").map((line) => {
      const [operation, value, ...reason] = line.split(" ") as [string, string];
      return [operation, value === "-" ? new Error(reason.join(" ")) : Number(value)];
    });
  } catch (error) {
    return operations.map((operation) => [operation, error as Error]);
  }
}
