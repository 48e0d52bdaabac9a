/*
 * The words of posix_client.c: the arguments of a command by their place, constants by their names, and answers.
 */
#ifndef POSIX_WORDS_H
#define POSIX_WORDS_H

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4
#endif

#define MAXIMUM_WORDS 16
#define LARGEST_TRANSFER (4 << 20)

static char *words[MAXIMUM_WORDS];
static size_t lengths[MAXIMUM_WORDS];
/* O_DIRECT wants its memory aligned. */
static unsigned char transfer[LARGEST_TRANSFER + 1] __attribute__((aligned(4096)));

struct constant {
  const char *name;
  long long value;
};
#define NAMED(name) {#name, name}
static const struct constant constants[] = {
    NAMED(O_RDONLY), NAMED(O_WRONLY), NAMED(O_RDWR), NAMED(O_CREAT), NAMED(O_EXCL), NAMED(O_TRUNC), NAMED(O_APPEND),
    NAMED(O_NONBLOCK), NAMED(O_SYNC), NAMED(O_DSYNC), NAMED(O_DIRECT), NAMED(O_DIRECTORY), NAMED(O_NOFOLLOW),
    NAMED(O_NOATIME), NAMED(O_CLOEXEC), NAMED(O_PATH), NAMED(O_TMPFILE), NAMED(AT_FDCWD), NAMED(AT_EMPTY_PATH),
    NAMED(AT_SYMLINK_FOLLOW), NAMED(AT_SYMLINK_NOFOLLOW), NAMED(AT_REMOVEDIR), NAMED(AT_EACCESS), NAMED(SEEK_SET),
    NAMED(SEEK_CUR), NAMED(SEEK_END), NAMED(SEEK_DATA), NAMED(SEEK_HOLE), NAMED(S_IFREG), NAMED(S_IFIFO),
    NAMED(S_IFSOCK), NAMED(S_IFCHR), NAMED(S_IFBLK), NAMED(S_IFDIR), NAMED(F_OK), NAMED(R_OK), NAMED(W_OK),
    NAMED(X_OK), NAMED(FALLOC_FL_KEEP_SIZE), NAMED(FALLOC_FL_PUNCH_HOLE), NAMED(FALLOC_FL_ZERO_RANGE),
    NAMED(FALLOC_FL_COLLAPSE_RANGE), NAMED(FALLOC_FL_INSERT_RANGE), NAMED(RENAME_NOREPLACE), NAMED(RENAME_EXCHANGE),
    NAMED(RENAME_WHITEOUT), NAMED(XATTR_CREATE), NAMED(XATTR_REPLACE), NAMED(F_GETLK), NAMED(F_SETLK),
    NAMED(F_SETLKW), NAMED(F_OFD_GETLK), NAMED(F_OFD_SETLK), NAMED(F_OFD_SETLKW), NAMED(F_RDLCK), NAMED(F_WRLCK),
    NAMED(F_UNLCK), NAMED(LOCK_SH), NAMED(LOCK_EX), NAMED(LOCK_NB), NAMED(LOCK_UN), NAMED(PROT_READ),
    NAMED(PROT_WRITE), NAMED(MAP_SHARED), NAMED(MAP_PRIVATE), NAMED(MS_SYNC), NAMED(MS_ASYNC), NAMED(POLLIN),
    NAMED(POLLOUT), NAMED(POLLHUP), NAMED(POLLERR), NAMED(UTIME_NOW), NAMED(UTIME_OMIT), NAMED(SIGKILL),
};

/* ---- answers ---- */

static void answer_usage(const char *why, const char *what) {
  printf("usage %s %s\n", why, what);
  fflush(stdout);
}

static void answer_error(void) {
  printf("error %s\n", strerrorname_np(errno));
}

static void answer(long long result) {
  if (result < 0) answer_error();
  else printf("ok %lld\n", result);
}

static void print_encoded(const unsigned char *bytes, size_t length) {
  if (length == 0) putchar('%');
  for (size_t at = 0; at < length; at++) {
    if (isalnum(bytes[at]) || memchr("._-/", bytes[at], 4)) putchar(bytes[at]);
    else printf("%%%02x", bytes[at]);
  }
}

static void answer_bytes(const unsigned char *bytes, ssize_t length) {
  if (length < 0) {
    answer_error();
    return;
  }
  printf("ok ");
  print_encoded(bytes, length);
  putchar('\n');
}

/* ---- arguments ---- */

static const char *text(int index) {
  if (words[index]) return words[index];
  answer_usage("missing argument of", words[0]);
  exit(2);
}

static long long constant_or_number(const char *word) {
  for (size_t at = 0; at < sizeof constants / sizeof *constants; at++) {
    if (strcmp(constants[at].name, word) == 0) return constants[at].value;
  }
  char *end;
  long long value = strtoll(word, &end, 10);
  if (end == word || *end) {
    answer_usage("unknown constant", word);
    exit(2);
  }
  return value;
}

static long long number(int index) {
  long long value = 0;
  char *copy = strdup(text(index)), *rest = copy;
  for (char *word; (word = strsep(&rest, "|"));) value |= constant_or_number(word);
  free(copy);
  return value;
}

static size_t size_of_transfer(int index) {
  long long size = number(index);
  return size < 0 || size > LARGEST_TRANSFER ? LARGEST_TRANSFER : (size_t)size;
}

/* Decodes in place; returns how many bytes there are. A zero is put behind them. */
static size_t decode(char *word) {
  size_t length = 0;
  if (strcmp(word, "%") == 0) word[0] = 0;
  for (char *from = word; *from; from++) {
    unsigned value = (unsigned char)*from;
    if (*from == '%' && sscanf(from + 1, "%2x", &value) == 1) from += 2;
    word[length++] = (char)value;
  }
  word[length] = 0;
  return length;
}

#endif
