/** aarch64: system call numbers (include/uapi/asm-generic/unistd.h). */

export const SYS_setgroups = 159;
export const SYS_setfsuid = 151;
export const SYS_setfsgid = 152;
