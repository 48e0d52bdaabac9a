/** x86_64: system call numbers (arch/x86/entry/syscalls/syscall_64.tbl). */

export const SYS_setgroups = 116;
export const SYS_setfsuid = 122;
export const SYS_setfsgid = 123;
