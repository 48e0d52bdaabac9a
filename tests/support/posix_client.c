/*
 * A process that makes system calls when told to: one command a line on stdin, one answer a line on stdout, in order.
 *
 *   posix_client [UID GID [GROUP,GROUP…]]    as root: becomes that user first; starts with umask 0
 *
 * A command is the call's name and its arguments between single spaces. Text is percent-encoded (a lone "%" is the
 * empty string), so names and data are any bytes; numbers are decimal or constants joined by "|" (O_RDWR|O_CREAT).
 * An answer is "ok VALUE…", "error ERRNO", or "usage WHY" when the command itself is wrong. SIGUSR1 interrupts a call
 * that blocks (EINTR).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "posix_words.h"

#define MAXIMUM_MAPPINGS 16
static struct {
  unsigned char *address;
  size_t length;
} mappings[MAXIMUM_MAPPINGS];

/* ---- calls whose answer is their result ---- */

#define CALL(name, expression) \
  static void call_##name(void) { answer(expression); }

CALL(open, open(text(1), number(2), (mode_t)number(3)))
CALL(openat, openat(number(1), text(2), number(3), (mode_t)number(4)))
CALL(close, close(number(1)))
CALL(dup, dup(number(1)))
CALL(write, write(number(1), words[2], lengths[2]))
CALL(pwrite, pwrite(number(1), words[2], lengths[2], number(3)))
CALL(lseek, lseek(number(1), number(2), number(3)))
CALL(truncate, truncate(text(1), number(2)))
CALL(ftruncate, ftruncate(number(1), number(2)))
CALL(fallocate, fallocate(number(1), number(2), number(3), number(4)))
CALL(fsync, fsync(number(1)))
CALL(fdatasync, fdatasync(number(1)))
CALL(syncfs, syncfs(number(1)))
CALL(mkdir, mkdir(text(1), number(2)))
CALL(rmdir, rmdir(text(1)))
CALL(mknod, mknod(text(1), number(2), makedev(number(3), number(4))))
CALL(symlink, symlink(text(1), text(2)))
CALL(link, link(text(1), text(2)))
CALL(linkat, linkat(number(1), text(2), number(3), text(4), number(5)))
CALL(unlink, unlink(text(1)))
CALL(rename, rename(text(1), text(2)))
CALL(renameat2, syscall(SYS_renameat2, AT_FDCWD, text(1), AT_FDCWD, text(2), (unsigned)number(3)))
CALL(chmod, chmod(text(1), number(2)))
CALL(fchmod, fchmod(number(1), number(2)))
CALL(chown, chown(text(1), number(2), number(3)))
CALL(lchown, lchown(text(1), number(2), number(3)))
CALL(fchown, fchown(number(1), number(2), number(3)))
CALL(access, access(text(1), number(2)))
CALL(setxattr, setxattr(text(1), text(2), text(3), lengths[3], number(4)))
CALL(lsetxattr, lsetxattr(text(1), text(2), text(3), lengths[3], number(4)))
CALL(fsetxattr, fsetxattr(number(1), text(2), text(3), lengths[3], number(4)))
CALL(getxattr_size, getxattr(text(1), text(2), NULL, 0))
CALL(listxattr_size, listxattr(text(1), NULL, 0))
CALL(removexattr, removexattr(text(1), text(2)))
CALL(lremovexattr, lremovexattr(text(1), text(2)))
CALL(flock, flock(number(1), number(2)))
CALL(chdir, chdir(text(1)))
CALL(umask, umask(number(1)))
CALL(kill, kill(number(1), number(2)))
CALL(listen, listen(number(1), 8))
CALL(accept, accept4(number(1), NULL, NULL, SOCK_CLOEXEC))

/* ---- calls that answer bytes ---- */

#define BYTES(name, expression) \
  static void call_##name(void) { answer_bytes(transfer, expression); }

BYTES(read, read(number(1), transfer, size_of_transfer(2)))
BYTES(pread, pread(number(1), transfer, size_of_transfer(2), number(3)))
BYTES(readlink, readlink(text(1), (char *)transfer, size_of_transfer(2)))
BYTES(getxattr, getxattr(text(1), text(2), transfer, size_of_transfer(3)))
BYTES(lgetxattr, lgetxattr(text(1), text(2), transfer, size_of_transfer(3)))
BYTES(fgetxattr, fgetxattr(number(1), text(2), transfer, size_of_transfer(3)))
BYTES(listxattr, listxattr(text(1), (char *)transfer, size_of_transfer(2)))
BYTES(llistxattr, llistxattr(text(1), (char *)transfer, size_of_transfer(2)))

static void call_getcwd(void) {
  char *directory = getcwd((char *)transfer, sizeof transfer);
  answer_bytes(transfer, directory ? (ssize_t)strlen(directory) : -1);
}

/* ---- data by pattern: the byte at a position follows from the position and a seed ---- */

static unsigned char pattern(unsigned long long position, unsigned seed) {
  return (unsigned char)((position * 2654435761u + (position >> 8) + seed * 97) >> 3);
}

static void call_pwrite_pattern(void) {
  long long offset = number(2), size = number(3);
  unsigned seed = number(4);
  for (long long done = 0; done < size;) {
    size_t piece = size - done > LARGEST_TRANSFER ? LARGEST_TRANSFER : (size_t)(size - done);
    for (size_t at = 0; at < piece; at++) transfer[at] = pattern(offset + done + at, seed);
    ssize_t written = pwrite(number(1), transfer, piece, offset + done);
    if (written <= 0) {
      answer(written);
      return;
    }
    done += written;
  }
  answer(size);
}

/* Answers the first position that differs (the end of the file differs too), or "ok same". */
static void call_differs_from_pattern(void) {
  long long offset = number(2), size = number(3);
  unsigned seed = number(4);
  for (long long done = 0; done < size;) {
    size_t piece = size - done > LARGEST_TRANSFER ? LARGEST_TRANSFER : (size_t)(size - done);
    ssize_t count = pread(number(1), transfer, piece, offset + done);
    if (count <= 0) {
      answer(count < 0 ? count : offset + done);
      return;
    }
    for (ssize_t at = 0; at < count; at++) {
      if (transfer[at] == pattern(offset + done + at, seed)) continue;
      answer(offset + done + at);
      return;
    }
    done += count;
  }
  printf("ok same\n");
}

static void call_copy_file_range(void) {
  off_t from = number(2), to = number(4);
  answer(copy_file_range(number(1), &from, number(3), &to, number(5), 0));
}

/* ---- attributes ---- */

static void answer_status(int result, const struct stat *status) {
  if (result < 0) {
    answer_error();
    return;
  }
  printf("ok %llu %llu %u %llu %u %u %u %u %lld %lld %lld", (unsigned long long)status->st_dev,
         (unsigned long long)status->st_ino, status->st_mode, (unsigned long long)status->st_nlink, status->st_uid,
         status->st_gid, major(status->st_rdev), minor(status->st_rdev), (long long)status->st_size,
         (long long)status->st_blksize, (long long)status->st_blocks);
  printf(" %lld %ld %lld %ld %lld %ld\n", (long long)status->st_atim.tv_sec, status->st_atim.tv_nsec,
         (long long)status->st_mtim.tv_sec, status->st_mtim.tv_nsec, (long long)status->st_ctim.tv_sec,
         status->st_ctim.tv_nsec);
}

#define STATUS(name, expression)     \
  static void call_##name(void) {    \
    struct stat status;              \
    int result = expression;         \
    answer_status(result, &status);  \
  }

STATUS(stat, stat(text(1), &status))
STATUS(lstat, lstat(text(1), &status))
STATUS(fstat, fstat(number(1), &status))

/* Answers the time of birth as seconds and nanoseconds, or "ok" alone where the filesystem keeps none. */
static void call_birth_time(void) {
  struct statx status;
  if (statx(AT_FDCWD, text(1), 0, STATX_BTIME, &status) < 0) answer_error();
  else if (!(status.stx_mask & STATX_BTIME)) printf("ok\n");
  else printf("ok %lld %u\n", (long long)status.stx_btime.tv_sec, status.stx_btime.tv_nsec);
}

static void call_statfs(void) {
  struct statfs status;
  if (statfs(text(1), &status) < 0) {
    answer_error();
    return;
  }
  printf("ok %lld %lld %lld %lld %lld %lld %lld\n", (long long)status.f_bsize, (long long)status.f_blocks,
         (long long)status.f_bfree, (long long)status.f_bavail, (long long)status.f_files, (long long)status.f_ffree,
         (long long)status.f_namelen);
}

/* utimensat DIRECTORY PATH ATIME-SECONDS ATIME-NANOSECONDS MTIME-SECONDS MTIME-NANOSECONDS FLAGS */
static void call_utimensat(void) {
  struct timespec times[2] = {{number(3), number(4)}, {number(5), number(6)}};
  answer(utimensat(number(1), text(2), times, number(7)));
}

static void call_futimens(void) {
  struct timespec times[2] = {{number(2), number(3)}, {number(4), number(5)}};
  answer(futimens(number(1), times));
}

/* ---- directories ---- */

struct linux_dirent64 {
  uint64_t d_ino;
  int64_t d_off;
  unsigned short d_reclen;
  unsigned char d_type;
  char d_name[];
};

/* One getdents64 with a buffer of that size: "ok INODE POSITION TYPE NAME …"; the end is "ok" alone. */
static void call_getdents(void) {
  long length = syscall(SYS_getdents64, (int)number(1), transfer, size_of_transfer(2));
  if (length < 0) {
    answer_error();
    return;
  }
  printf("ok");
  for (long at = 0; at < length;) {
    struct linux_dirent64 *entry = (struct linux_dirent64 *)(transfer + at);
    printf(" %llu %lld %u ", (unsigned long long)entry->d_ino, (long long)entry->d_off, entry->d_type);
    print_encoded((unsigned char *)entry->d_name, strlen(entry->d_name));
    at += entry->d_reclen;
  }
  putchar('\n');
}

static int remove_tree_at(int parent, const char *name) {
  if (unlinkat(parent, name, 0) == 0) return 0;
  if (errno != EISDIR && errno != EPERM && errno != ENOENT) return -1;
  if (errno == ENOENT) return 0;
  fchmodat(parent, name, 0700, 0);
  int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *stream = directory < 0 ? NULL : fdopendir(directory);
  if (!stream) return -1;
  int result = 0;
  for (struct dirent *entry; result == 0 && (entry = readdir(stream));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    result = remove_tree_at(directory, entry->d_name);
  }
  closedir(stream);
  return result < 0 ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
}

CALL(remove_tree, remove_tree_at(AT_FDCWD, text(1)))

/* ---- locks, polls, mappings ---- */

/* fcntl_lock FD COMMAND TYPE START LENGTH; the commands that ask answer "TYPE START LENGTH PID" of what is in the way. */
static void call_fcntl_lock(void) {
  int command = number(2);
  struct flock lock = {.l_type = number(3), .l_whence = SEEK_SET, .l_start = number(4), .l_len = number(5)};
  int result = fcntl(number(1), command, &lock);
  if (result < 0 || (command != F_GETLK && command != F_OFD_GETLK)) {
    answer(result);
    return;
  }
  const char *type = lock.l_type == F_UNLCK ? "F_UNLCK" : lock.l_type == F_RDLCK ? "F_RDLCK" : "F_WRLCK";
  printf("ok %s %lld %lld %d\n", type, (long long)lock.l_start, (long long)lock.l_len, lock.l_pid);
}

static void call_poll(void) {
  struct pollfd polled = {.fd = number(1), .events = number(2)};
  int count = poll(&polled, 1, number(3));
  answer(count < 0 ? count : polled.revents);
}

/* mmap FD OFFSET LENGTH PROTECTION FLAGS answers the number of a mapping. */
static void call_mmap(void) {
  int slot = 0;
  while (slot < MAXIMUM_MAPPINGS && mappings[slot].address) slot++;
  if (slot == MAXIMUM_MAPPINGS) {
    answer_usage("no slot left for", "mmap");
    return;
  }
  void *address = mmap(NULL, number(3), number(4), number(5), number(1), number(2));
  if (address == MAP_FAILED) {
    answer_error();
    return;
  }
  mappings[slot].address = address;
  mappings[slot].length = number(3);
  answer(slot);
}

static void call_munmap(void) {
  int slot = number(1);
  int result = munmap(mappings[slot].address, mappings[slot].length);
  mappings[slot].address = NULL;
  answer(result);
}

CALL(msync, msync(mappings[number(1)].address, mappings[number(1)].length, number(2)))

static void call_peek(void) {
  answer_bytes(mappings[number(1)].address + number(2), number(3));
}

static void call_poke(void) {
  memcpy(mappings[number(1)].address + number(2), text(3), lengths[3]);
  answer(0);
}

/* ---- sockets and processes ---- */

static void open_socket(int (*attach)(int, const struct sockaddr *, socklen_t)) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (lengths[1] >= sizeof address.sun_path) {
    answer_usage("name too long for a socket", words[1]);
    return;
  }
  memcpy(address.sun_path, text(1), lengths[1]);
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (attach(descriptor, (struct sockaddr *)&address, sizeof address) == 0) {
    answer(descriptor);
    return;
  }
  answer_error();
  close(descriptor);
}

static void call_bind(void) { open_socket(bind); }
static void call_connect(void) { open_socket(connect); }

/*
 * spawn PROGRAM ARGUMENT…: answers the process once it runs the program, or the error of execve. The program ends with
 * this process and has none of its pipes: who waits for their end is not kept waiting.
 */
static void call_spawn(void) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) < 0) {
    answer_error();
    return;
  }
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(text(1), words + 1);
    if (write(report[1], &errno, sizeof errno) < 0) _exit(126);
    _exit(127);
  }
  close(report[1]);
  int error = 0;
  ssize_t told = read(report[0], &error, sizeof error);
  close(report[0]);
  if (told == 0) {
    answer(child);
    return;
  }
  waitpid(child, NULL, 0);
  errno = error;
  answer_error();
}

/* Answers the exit code, or 128 and the signal, as a shell does. */
static void call_waitpid(void) {
  int status;
  if (waitpid(number(1), &status, 0) < 0) answer_error();
  else answer(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

CALL(getpid, getpid())

/* ---- the loop ---- */

#define COMMAND(name) {#name, call_##name}
static const struct {
  const char *name;
  void (*call)(void);
} commands[] = {
    COMMAND(open), COMMAND(openat), COMMAND(close), COMMAND(dup), COMMAND(read), COMMAND(pread), COMMAND(write),
    COMMAND(pwrite), COMMAND(pwrite_pattern), COMMAND(differs_from_pattern), COMMAND(lseek), COMMAND(truncate),
    COMMAND(ftruncate), COMMAND(fallocate), COMMAND(copy_file_range), COMMAND(fsync), COMMAND(fdatasync),
    COMMAND(syncfs), COMMAND(stat), COMMAND(lstat), COMMAND(fstat), COMMAND(birth_time), COMMAND(statfs),
    COMMAND(mkdir), COMMAND(rmdir), COMMAND(mknod), COMMAND(symlink), COMMAND(readlink), COMMAND(link),
    COMMAND(linkat), COMMAND(unlink), COMMAND(rename), COMMAND(renameat2), COMMAND(chmod), COMMAND(fchmod),
    COMMAND(chown), COMMAND(lchown), COMMAND(fchown), COMMAND(utimensat), COMMAND(futimens), COMMAND(access),
    COMMAND(setxattr), COMMAND(lsetxattr), COMMAND(fsetxattr), COMMAND(getxattr), COMMAND(lgetxattr),
    COMMAND(fgetxattr), COMMAND(getxattr_size), COMMAND(listxattr), COMMAND(llistxattr), COMMAND(listxattr_size),
    COMMAND(removexattr), COMMAND(lremovexattr), COMMAND(getdents), COMMAND(remove_tree), COMMAND(mmap),
    COMMAND(munmap), COMMAND(msync), COMMAND(peek), COMMAND(poke), COMMAND(fcntl_lock), COMMAND(flock), COMMAND(poll),
    COMMAND(chdir), COMMAND(getcwd), COMMAND(umask), COMMAND(bind), COMMAND(listen), COMMAND(accept),
    COMMAND(connect), COMMAND(spawn), COMMAND(waitpid), COMMAND(kill), COMMAND(getpid),
};

static void run(char *line) {
  memset(words, 0, sizeof words);
  line[strcspn(line, "\n")] = 0;
  for (int count = 0; count < MAXIMUM_WORDS - 1 && (words[count] = strsep(&line, " ")); count++) {
    lengths[count] = decode(words[count]);
  }
  for (size_t at = 0; at < sizeof commands / sizeof *commands; at++) {
    if (strcmp(commands[at].name, words[0]) != 0) continue;
    commands[at].call();
    fflush(stdout);
    return;
  }
  answer_usage("unknown command", words[0]);
}

static void become(char **identity) {
  gid_t groups[32];
  size_t count = 0;
  for (char *word; identity[2] && count < 32 && (word = strsep(&identity[2], ","));) groups[count++] = atoi(word);
  if (setgroups(count, groups) < 0 || setgid(atoi(identity[1])) < 0 || setuid(atoi(identity[0])) < 0) {
    answer_usage("cannot become the user:", strerror(errno));
    exit(2);
  }
}

static void interrupt(int signal) { (void)signal; }

int main(int argc, char **argv) {
  struct sigaction action = {.sa_handler = interrupt};
  sigaction(SIGUSR1, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  if (argc > 2) become(argv + 1);
  umask(0);
  printf("ok %d\n", getpid());
  fflush(stdout);
  char *line = NULL;
  size_t size = 0;
  for (;;) {
    if (getline(&line, &size, stdin) > 0) run(line);
    else if (errno == EINTR && !feof(stdin)) clearerr(stdin);
    else return 0;
  }
}
