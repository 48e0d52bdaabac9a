/**
 * The numbers that cross the contract as numbers: modes, open flags and the like. They are Linux's own
 * (asm-generic; `O_*` differ by architecture).
 */

// File types and bits of `mode` (sys/stat.h).
/** The bits of a mode that are the type. */
export const S_IFMT = 0o170000;
/** A socket. */
export const S_IFSOCK = 0o140000;
/** A symbolic link. */
export const S_IFLNK = 0o120000;
/** A regular file. */
export const S_IFREG = 0o100000;
/** A block device. */
export const S_IFBLK = 0o060000;
/** A directory. */
export const S_IFDIR = 0o040000;
/** A character device. */
export const S_IFCHR = 0o020000;
/** A fifo. */
export const S_IFIFO = 0o010000;
/** Run as the owner (setuid). */
export const S_ISUID = 0o4000;
/** Run as the group; of a directory: what is made there gets its group (setgid). */
export const S_ISGID = 0o2000;
/** Of a directory: only owners remove what is theirs (sticky). */
export const S_ISVTX = 0o1000;
/** The group may execute. */
export const S_IXGRP = 0o010;

// Open flags that are the same everywhere (asm-generic/fcntl.h).
/** To read. */
export const O_RDONLY = 0;
/** To write. */
export const O_WRONLY = 1;
/** To read and write. */
export const O_RDWR = 2;
/** The bits that are one of the three above. */
export const O_ACCMODE = 3;
/** Make the file when it is not there. */
export const O_CREAT = 0o100;
/** Fail when it is there. */
export const O_EXCL = 0o200;
/** Let no terminal become the controlling one. */
export const O_NOCTTY = 0o400;
/** Empty the file. */
export const O_TRUNC = 0o1000;
/** Write at the end. */
export const O_APPEND = 0o2000;
/** Do not wait. */
export const O_NONBLOCK = 0o4000;
/** Writes return when the data is on the disk. */
export const O_DSYNC = 0o10000;
/** Leave the access time alone. */
export const O_NOATIME = 0o1000000;
/** Close on exec. */
export const O_CLOEXEC = 0o2000000;
/** Only stand for the file. */
export const O_PATH = 0o10000000;

// Those that 64-bit Arm numbers otherwise (arch/arm64/include/uapi/asm/fcntl.h).
const arm = Deno.build.arch === "aarch64";
/** Fail when it is no directory. */
export const O_DIRECTORY = arm ? 0o40000 : 0o200000;
/** Fail when it is a symbolic link. */
export const O_NOFOLLOW = arm ? 0o100000 : 0o400000;
/** Bypass the page cache. */
export const O_DIRECT = arm ? 0o200000 : 0o40000;
/** Files of more than 2 GiB, which are usual. */
export const O_LARGEFILE = arm ? 0o400000 : 0o100000;
/** A file without a name. */
export const O_TMPFILE = 0o20000000 | O_DIRECTORY;

// renameat2 (linux/fs.h).
/** Fail when the new name is there. */
export const RENAME_NOREPLACE = 1;
/** Swap the two names. */
export const RENAME_EXCHANGE = 2;
/** Leave a whiteout under the old name. */
export const RENAME_WHITEOUT = 4;

// setxattr (linux/xattr.h).
/** Fail when the attribute is there. */
export const XATTR_CREATE = 1;
/** Fail when it is not. */
export const XATTR_REPLACE = 2;

// fallocate (linux/falloc.h).
/** Leave the size as it is. */
export const FALLOC_FL_KEEP_SIZE = 0x01;
/** Free the range, which then reads as zeros. */
export const FALLOC_FL_PUNCH_HOLE = 0x02;
/** Take the range out of the file. */
export const FALLOC_FL_COLLAPSE_RANGE = 0x08;
/** Make the range zeros. */
export const FALLOC_FL_ZERO_RANGE = 0x10;
/** Put a hole between. */
export const FALLOC_FL_INSERT_RANGE = 0x20;
/** Make blocks that are shared its own. */
export const FALLOC_FL_UNSHARE_RANGE = 0x40;

// lseek (linux/fs.h).
/** From the start. */
export const SEEK_SET = 0;
/** From the position. */
export const SEEK_CUR = 1;
/** From the end. */
export const SEEK_END = 2;
/** To data, from an offset on. */
export const SEEK_DATA = 3;
/** To a hole, from an offset on. */
export const SEEK_HOLE = 4;

// poll (asm-generic/poll.h).
/** There is something to read. */
export const POLLIN = 0x001;
/** There is something urgent. */
export const POLLPRI = 0x002;
/** There is room to write. */
export const POLLOUT = 0x004;
/** An error. */
export const POLLERR = 0x008;
/** The other end is gone. */
export const POLLHUP = 0x010;
/** As POLLIN. */
export const POLLRDNORM = 0x040;
/** As POLLOUT. */
export const POLLWRNORM = 0x100;

// access (unistd.h).
/** May be read. */
export const R_OK = 4;
/** May be written. */
export const W_OK = 2;
/** May be executed, or searched. */
export const X_OK = 1;
