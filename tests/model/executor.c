// Executes file operations in one directory for the model test: one operation a line in, one result line out.
//
//   executor DIRECTORY
//
// It makes DIRECTORY, works in it by relative paths and removes it when its input ends. Arguments are separated by
// spaces and percent-escaped; flags are comma-separated names, so that a line means the same on every architecture.
// A result is "ok", "ok VALUE" or the errno's name.
#define _GNU_SOURCE
#include "executor.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SLOTS = 4, MOST_ARGUMENTS = 8, LARGEST = 1 << 20 };

static int slots[SLOTS] = {-1, -1, -1, -1};
static unsigned char buffer[LARGEST];
static const char *root;

struct flag { const char *name; int value; };

static const struct flag FLAGS[] = {
    {"rdonly", O_RDONLY}, {"wronly", O_WRONLY}, {"rdwr", O_RDWR}, {"creat", O_CREAT}, {"excl", O_EXCL},
    {"trunc", O_TRUNC}, {"append", O_APPEND}, {"directory", O_DIRECTORY}, {"nofollow", O_NOFOLLOW},
    {"tmpfile", O_TMPFILE}, {"noreplace", RENAME_NOREPLACE}, {"exchange", RENAME_EXCHANGE},
    {"keep-size", FALLOC_FL_KEEP_SIZE}, {"punch-hole", FALLOC_FL_PUNCH_HOLE}, {"create", XATTR_CREATE},
    {"replace", XATTR_REPLACE}, {"symlink-nofollow", AT_SYMLINK_NOFOLLOW}, {"none", 0},
};

static void fail(const char *what, const char *value) {
    fprintf(stderr, "executor: %s: %s\n", what, value);
    exit(2);
}

static int parse_flags(char *names) {
    int flags = 0;
    for (char *rest, *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        size_t i = 0, count = sizeof FLAGS / sizeof *FLAGS;
        while (i < count && strcmp(FLAGS[i].name, name)) i++;
        if (i == count) fail("unknown flag", name);
        flags |= FLAGS[i].value;
    }
    return flags;
}

static void unescape(char *text) {
    char *out = text;
    for (char *in = text; *in; in++) {
        if (*in != '%') { *out++ = *in; continue; }
        char digits[3] = {in[1], in[2], 0};
        *out++ = (char)strtol(digits, NULL, 16);
        in += 2;
    }
    *out = 0;
}

void print_error(void) { printf("%s", strerrorname_np(errno)); }

void print_escaped(const void *bytes, size_t length) {
    const unsigned char *from = bytes;
    for (size_t i = 0; i < length; i++)
        if (isalnum(from[i]) || strchr("._-/", from[i])) putchar(from[i]);
        else printf("%%%02x", from[i]);
}

void print_bytes(const unsigned char *bytes, size_t length) {
    uint64_t hash = 14695981039346656037u;  // FNV-1a
    for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
    printf("%zu:", length);
    if (length <= 16) for (size_t i = 0; i < length; i++) printf("%02x", bytes[i]);
    else printf("#%016llx", (unsigned long long)hash);
}

static void print_result(long result) {
    if (result < 0) print_error();
    else printf("ok");
}

static void print_count(ssize_t count) {
    if (count < 0) print_error();
    else printf("ok %zd", count);
}

static void print_read(ssize_t count) {
    if (count < 0) { print_error(); return; }
    printf("ok ");
    print_bytes(buffer, (size_t)count);
}

static void print_stat_result(int result, const struct stat *status) {
    if (result < 0) { print_error(); return; }
    printf("ok ");
    print_status(status);
}

// Never zero, so that a hole is told apart from what was written.
static void fill(long length, long seed) {
    for (long i = 0; i < length; i++) buffer[i] = (unsigned char)(1 + (seed * 31 + i * 7 + (i >> 8)) % 255);
}

static void replace_slot(long slot, int descriptor) {
    if (slots[slot] >= 0) close(slots[slot]);
    slots[slot] = descriptor;
}

static long bounded(long value) {
    if (value < 0 || value > LARGEST) fail("length out of bounds", "");
    return value;
}

static void write_file(const char *path, int flags, long mode, long offset, long length, long seed) {
    int descriptor = open(path, flags | O_NONBLOCK, mode);  // O_NONBLOCK: a fifo must not block
    if (descriptor < 0) { print_error(); return; }
    fill(length, seed);
    print_count(pwrite(descriptor, buffer, length, offset));
    if (close(descriptor) < 0) { printf(" close "); print_error(); }
}

static void read_file(const char *path, long offset, long length) {
    int descriptor = open(path, O_RDONLY | O_NONBLOCK);
    if (descriptor < 0) { print_error(); return; }
    print_read(pread(descriptor, buffer, length, offset));
    close(descriptor);
}

// Filesystems differ in whether fallocate touches mtime, so the executor sets it itself.
static void allocate(int descriptor, int mode, long offset, long length) {
    int result = fallocate(descriptor, mode, offset, length);
    print_result(result);
    if (result == 0) futimens(descriptor, NULL);
}

// To the size that it has: ext4 touches mtime, tmpfs does not, so the executor sets it itself.
static void truncate_file(const char *path, long size) {
    struct stat before;
    int known = stat(path, &before) == 0, result = truncate(path, size);
    print_result(result);
    if (result == 0 && known && before.st_size == size) utimensat(AT_FDCWD, path, NULL, 0);
}

// The times are read back by a descriptor: resolving the path once more may touch a symbolic link's atime.
static void set_times(const char *path, char **argument) {
    struct timespec times[2] = {{atol(argument[0]), atol(argument[1])}, {atol(argument[2]), atol(argument[3])}};
    int flags = parse_flags(argument[4]);
    int descriptor = open(path, O_PATH | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0));
    struct stat status;
    if (descriptor < 0 || utimensat(AT_FDCWD, path, times, flags) < 0 || fstat(descriptor, &status) < 0) print_error();
    else {
        printf("ok ");
        print_time(&status.st_atim);
        putchar(' ');
        print_time(&status.st_mtim);
    }
    if (descriptor >= 0) close(descriptor);
}

static void read_link(const char *path) {
    ssize_t length = readlink(path, (char *)buffer, sizeof buffer);
    if (length < 0) { print_error(); return; }
    printf("ok ");
    print_escaped(buffer, (size_t)length);
}

// Gives a name to what a slot holds open: how an O_TMPFILE file gets its first one (open(2), O_TMPFILE).
static int link_descriptor(int descriptor, const char *path) {
    char source[64];
    snprintf(source, sizeof source, "/proc/self/fd/%d", descriptor);
    return linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

// Makes the directory, or works in one that has something in it already.
static int enter(int existing) { return (!existing && mkdir(root, 0755) < 0) || chdir(root) < 0 ? -1 : 0; }

static int leave(void) {
    for (long slot = 0; slot < SLOTS; slot++) replace_slot(slot, -1);
    // By its whole path: without search permission on it "." is not found.
    return chmod(root, 0755) < 0 || remove_tree() < 0 || chdir("..") < 0 || rmdir(root) < 0 ? -1 : 0;
}

static int execute_on_slot(const char *name, char **a) {
    long slot = atol(a[0]);
    if (slot < 0 || slot >= SLOTS) fail("no such slot", a[0]);
    int descriptor = slots[slot];
    struct stat status;
    if (!strcmp(name, "open")) {
        int opened = open(a[1], parse_flags(a[2]) | O_NONBLOCK, strtol(a[3], NULL, 8));
        print_result(opened);
        if (opened >= 0) replace_slot(slot, opened);
    } else if (!strcmp(name, "close")) {
        print_result(descriptor < 0 ? (errno = EBADF, -1) : close(descriptor));
        slots[slot] = -1;
    } else if (!strcmp(name, "pread")) print_read(pread(descriptor, buffer, bounded(atol(a[2])), atol(a[1])));
    else if (!strcmp(name, "pwrite")) {
        fill(bounded(atol(a[2])), atol(a[3]));
        print_count(pwrite(descriptor, buffer, atol(a[2]), atol(a[1])));
    } else if (!strcmp(name, "ftruncate")) print_result(ftruncate(descriptor, atol(a[1])));
    else if (!strcmp(name, "fstat")) print_stat_result(fstat(descriptor, &status), &status);
    else if (!strcmp(name, "fchmod")) print_result(fchmod(descriptor, strtol(a[1], NULL, 8)));
    else if (!strcmp(name, "fallocate")) allocate(descriptor, parse_flags(a[1]), atol(a[2]), atol(a[3]));
    else if (!strcmp(name, "fsync")) print_result(fsync(descriptor));
    else if (!strcmp(name, "holes")) print_holes(descriptor);
    else if (!strcmp(name, "linkat")) print_result(link_descriptor(descriptor, a[1]));
    else return 0;
    return 1;
}

static int execute_on_path(const char *name, char **a) {
    const char *path = a[0];
    struct stat status;
    if (!strcmp(name, "create")) write_file(path, O_CREAT | O_EXCL | O_WRONLY, strtol(a[1], NULL, 8), 0, bounded(atol(a[2])), atol(a[3]));
    else if (!strcmp(name, "write")) write_file(path, O_WRONLY, 0, atol(a[1]), bounded(atol(a[2])), atol(a[3]));
    else if (!strcmp(name, "append")) write_file(path, O_WRONLY | O_APPEND, 0, 0, bounded(atol(a[1])), atol(a[2]));
    else if (!strcmp(name, "read")) read_file(path, atol(a[1]), bounded(atol(a[2])));
    else if (!strcmp(name, "truncate")) truncate_file(path, atol(a[1]));
    else if (!strcmp(name, "stat")) print_stat_result(stat(path, &status), &status);
    else if (!strcmp(name, "lstat")) print_stat_result(lstat(path, &status), &status);
    else if (!strcmp(name, "unlink")) print_result(unlink(path));
    else if (!strcmp(name, "mkdir")) print_result(mkdir(path, strtol(a[1], NULL, 8)));
    else if (!strcmp(name, "rmdir")) print_result(rmdir(path));
    else if (!strcmp(name, "rename")) print_result(renameat2(AT_FDCWD, path, AT_FDCWD, a[1], parse_flags(a[2])));
    else if (!strcmp(name, "link")) print_result(link(path, a[1]));
    else if (!strcmp(name, "symlink")) print_result(symlink(path, a[1]));
    else if (!strcmp(name, "readlink")) read_link(path);
    else if (!strcmp(name, "mkfifo")) print_result(mkfifo(path, strtol(a[1], NULL, 8)));
    else if (!strcmp(name, "chmod")) print_result(chmod(path, strtol(a[1], NULL, 8)));
    else if (!strcmp(name, "chown")) print_result(fchownat(AT_FDCWD, path, atoi(a[1]), atoi(a[2]), parse_flags(a[3])));
    else if (!strcmp(name, "utimens")) set_times(path, a + 1);
    else if (!strcmp(name, "readdir")) print_directory(path);
    else if (!strcmp(name, "setxattr")) {
        fill(bounded(atol(a[2])), atol(a[3]));
        print_result(lsetxattr(path, a[1], buffer, atol(a[2]), parse_flags(a[4])));
    } else if (!strcmp(name, "getxattr")) print_read(lgetxattr(path, a[1], buffer, bounded(atol(a[2]))));
    else if (!strcmp(name, "listxattr")) print_attribute_names(path);
    else if (!strcmp(name, "removexattr")) print_result(lremovexattr(path, a[1]));
    else return 0;
    return 1;
}

static void execute(char *line) {
    static char none[] = "";
    char *rest, *arguments[MOST_ARGUMENTS], *name = strtok_r(line, " \n", &rest);
    for (int i = 0; i < MOST_ARGUMENTS; i++) {
        char *argument = strtok_r(NULL, " \n", &rest);
        arguments[i] = argument ? argument : none;
        if (argument) unescape(argument);
    }
    if (!name) fail("empty line", "");
    if (!strcmp(name, "reset")) print_result(leave() < 0 ? -1 : enter(0));
    else if (!strcmp(name, "tree")) print_tree();
    else if (!execute_on_path(name, arguments) && !execute_on_slot(name, arguments)) fail("unknown operation", name);
}

int main(int count, char **arguments) {
    if (count < 2 || *arguments[1] != '/') fail("usage", "executor /DIRECTORY [existing]");
    root = arguments[1];
    umask(0);
    if (enter(count > 2) < 0) fail(root, strerror(errno));
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        execute(line);
        putchar('\n');
        fflush(stdout);
    }
    free(line);
    if (leave() < 0) fail(root, strerror(errno));
    return 0;
}
