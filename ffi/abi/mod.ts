/**
 * What differs by architecture, for the one that this runs on. It is little: file status comes from `statx`, whose
 * struct is the same everywhere, as those of getdents64, statfs and flock are on all 64-bit machines.
 */
import * as aarch64 from "./aarch64.ts";
import * as x86_64 from "./x86_64.ts";

export const { SYS_setfsgid, SYS_setfsuid, SYS_setgroups } = Deno.build.arch === "aarch64" ? aarch64 : x86_64;
