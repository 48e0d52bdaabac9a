// Several processes of mixed operations in one directory tree, and a check that nothing was lost.
//
//   mixed DIRECTORY PROCESSES OPERATIONS SEED
//
// Every process has files of its own, whose names only it changes: operations on them must never fail, their contents
// are known, and while they stay where they are every readdir shows them exactly once. Beside them all processes race
// for shared names, where the errors of a lost race are allowed and no others. Everything is removed at the end.
// Exits with 0, or prints what was wrong and exits with 1.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIRECTORIES = 6, OWN_FILES = 24, SHARED_NAMES = 10, MOST_PROCESSES = 64, LARGEST = 30000 };

// A file of one process; a second name "…l" in the directory `link`, or none when that is negative.
struct own { int exists, directory, link, size, seed; };

static struct own (*files)[OWN_FILES];  // [process], shared with the parent
static int self = -1;
static long operation;
static uint64_t random_state;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
    char text[512];
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "mixed: process %d, operation %ld: %s (errno %s)\n", self, operation, text, strerrorname_np(number));
    exit(1);
}

// xorshift64*: the same everywhere.
static int below(int limit) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (int)((random_state * 2685821657736338717u >> 33) % (uint64_t)limit);
}

static void own_name(char *out, int process, int number, int directory, int linked) {
    sprintf(out, "d%d/own%d_%d%s", directory, process, number, linked ? "l" : "");
}

static unsigned char content_byte(const struct own *own, int position) {
    return (unsigned char)(1 + (own->seed * 13 + position * 7 + position / 251) % 255);
}

// Opens, writes all and closes; the file is shortened when it was longer.
static void write_own(const char *path, const struct own *own, int flags) {
    static unsigned char bytes[LARGEST];
    for (int i = 0; i < own->size; i++) bytes[i] = content_byte(own, i);
    int file = open(path, O_WRONLY | flags, 0644);
    if (file < 0) fail("open %s", path);
    for (int done = 0; done < own->size;) {
        int piece = own->size - done < 7000 ? own->size - done : 7000;
        ssize_t count = pwrite(file, bytes + done, piece, done);
        if (count <= 0) fail("write %s at %d: %zd", path, done, count);
        done += count;
    }
    if (ftruncate(file, own->size) < 0) fail("ftruncate %s", path);
    if (close(file) < 0) fail("close %s", path);
}

// How often all processes together met a link count that was not true.
static long *untrue_counts;

// The link count that the filesystem gives, forced as the kernel's may be wrong: when one process takes a name of a file
// away, and a look at the file (of a readdir, too) that was answered after that is applied before it, the kernel counts the
// name down twice (fuse_entry_unlinked in fs/fuse/dir.c). The forced look mends the kernel's count. Negative: no such file.
static int count_names(int directory, const char *path) {
    struct statx fresh;
    if (statx(directory, path, AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_NLINK, &fresh) < 0) return -1;
    __atomic_add_fetch(untrue_counts, 1, __ATOMIC_RELAXED);
    return (int)fresh.stx_nlink;
}

static void verify_file(const char *path, const struct own *own) {
    static unsigned char bytes[LARGEST + 1];
    struct stat status;
    int file = open(path, O_RDONLY);
    if (file < 0) fail("open to verify %s", path);
    if (fstat(file, &status) < 0) fail("fstat %s", path);
    if (status.st_size != own->size) fail("%s has %lld bytes, not %d", path, (long long)status.st_size, own->size);
    int names = own->link >= 0 ? 2 : 1;
    int counted = (int)status.st_nlink < names ? count_names(file, "") : (int)status.st_nlink;
    if (counted != names) fail("%s has %d names, not %d", path, counted, names);
    int length = 0;
    ssize_t count;
    while ((count = read(file, bytes + length, sizeof bytes - length)) > 0) length += count;
    if (count < 0 || length != own->size) fail("read %s: %d bytes, not %d", path, length, own->size);
    for (int i = 0; i < length; i++)
        if (bytes[i] != content_byte(own, i)) fail("byte %d of %s is %d, not %d", i, path, bytes[i], content_byte(own, i));
    close(file);
}

static void verify_own(int process, int number) {
    const struct own *own = &files[process][number];
    char path[64];
    struct stat status;
    own_name(path, process, number, own->directory, 0);
    if (own->exists) verify_file(path, own);
    else if (stat(path, &status) == 0 || errno != ENOENT) fail("%s should be gone", path);
    if (!own->exists || own->link < 0) return;
    own_name(path, process, number, own->link, 1);
    verify_file(path, own);
}

static void create_own(struct own *own, int number) {
    char path[64];
    *own = (struct own){1, below(DIRECTORIES), -1, below(LARGEST), below(255)};
    own_name(path, self, number, own->directory, 0);
    write_own(path, own, O_CREAT | O_EXCL);
}

static void unlink_own(struct own *own, int number) {
    char path[64];
    own_name(path, self, number, own->directory, 0);
    if (unlink(path) < 0) fail("unlink %s", path);
    if (own->link >= 0) {
        own_name(path, self, number, own->link, 1);
        if (unlink(path) < 0) fail("unlink %s", path);
    }
    own->exists = 0;
}

static void rename_own(struct own *own, int number) {
    char from[64], to[64];
    int directory = below(DIRECTORIES);
    own_name(from, self, number, own->directory, 0);
    own_name(to, self, number, directory, 0);
    if (rename(from, to) < 0) fail("rename %s %s", from, to);
    own->directory = directory;
}

// link(2), tried again when it finds a link count of 0 that is not true.
static int link_again(const char *from, const char *to) {
    if (link(from, to) == 0) return 0;
    if (errno != ENOENT || count_names(AT_FDCWD, from) < 1) return -1;
    return link(from, to);
}

// Gives the file its second name, or takes it away again.
static void link_own(struct own *own, int number) {
    char path[64], second[64];
    own_name(path, self, number, own->directory, 0);
    int directory = own->link < 0 ? below(DIRECTORIES) : own->link;
    own_name(second, self, number, directory, 1);
    if (own->link < 0 ? link_again(path, second) < 0 : unlink(second) < 0) fail("link or unlink %s", second);
    own->link = own->link < 0 ? directory : -1;
}

// Writes through either name, shortens or grows.
static void change_own(struct own *own, int number) {
    char path[64];
    if (own->link >= 0 && below(2)) own_name(path, self, number, own->link, 1);
    else own_name(path, self, number, own->directory, 0);
    if (below(2)) {
        own->size = below(LARGEST);
        own->seed = below(255);
        write_own(path, own, 0);
    } else {
        own->size = below(own->size + 1);
        if (truncate(path, own->size) < 0) fail("truncate %s", path);
    }
}

// While others change the directory, what stays must be listed exactly once.
static void list_directory(int directory) {
    char path[16];
    int seen[OWN_FILES][2] = {{0}};
    sprintf(path, "d%d", directory);
    DIR *stream = opendir(path);
    if (!stream) fail("opendir %s", path);
    struct dirent *entry;
    while (errno = 0, (entry = readdir(stream))) {
        int process, number, used = 0;
        if (sscanf(entry->d_name, "own%d_%d%n", &process, &number, &used) != 2 || process != self) continue;
        if (number < OWN_FILES) seen[number][entry->d_name[used] == 'l']++;
    }
    if (errno) fail("readdir %s", path);
    closedir(stream);
    for (int number = 0; number < OWN_FILES; number++) {
        const struct own *own = &files[self][number];
        int first = own->exists && own->directory == directory, second = own->exists && own->link == directory;
        if (seen[number][0] != first) fail("%s lists own%d_%d %d times, not %d", path, self, number, seen[number][0], first);
        if (seen[number][1] != second) fail("%s lists own%d_%dl %d times, not %d", path, self, number, seen[number][1], second);
    }
}

static void do_own(void) {
    int number = below(OWN_FILES);
    struct own *own = &files[self][number];
    if (!own->exists) { create_own(own, number); return; }
    switch (below(6)) {
        case 0: unlink_own(own, number); break;
        case 1: rename_own(own, number); break;
        case 2: link_own(own, number); break;
        case 3: change_own(own, number); break;
        case 4: verify_own(self, number); break;
        default: list_directory(own->directory);
    }
}

static void allow(int failed, const char *what, const char *path, const int *errors) {
    if (!failed) return;
    for (; *errors; errors++) if (errno == *errors) return;
    fail("%s %s", what, path);
}

static void open_shared(const char *path, int flags, const int *errors) {
    char bytes[5000] = {1};
    int file = open(path, flags | O_NOFOLLOW, 0644);
    allow(file < 0, "open", path, errors);
    if (file < 0) return;
    // Whoever else unlinks or renames the file meanwhile: an open file works.
    if ((flags & O_ACCMODE) == O_RDONLY) {
        allow(read(file, bytes, sizeof bytes) < 0, "read", path, (int[]){EISDIR, 0});
    } else if (pwrite(file, bytes, sizeof bytes, below(20000)) != sizeof bytes) fail("write %s", path);
    if (close(file) < 0) fail("close %s", path);
}

// What a lost race for a name may answer, by operation.
static void do_shared(void) {
    char path[64], other[64];
    struct stat status;
    sprintf(path, "d%d/s%d", below(DIRECTORIES), below(SHARED_NAMES));
    sprintf(other, "d%d/s%d", below(DIRECTORIES), below(SHARED_NAMES));
    switch (below(10)) {
        case 0: open_shared(path, O_RDWR | O_CREAT | O_EXCL, (int[]){EEXIST, 0}); break;
        case 1: open_shared(path, O_RDWR | O_CREAT, (int[]){EISDIR, ELOOP, ENOENT, 0}); break;
        case 2: open_shared(path, O_RDONLY | O_NONBLOCK, (int[]){ENOENT, ELOOP, EISDIR, 0}); break;
        case 3: allow(unlink(path) < 0, "unlink", path, (int[]){ENOENT, EISDIR, 0}); break;
        case 4: allow(rename(path, other) < 0, "rename", path, (int[]){ENOENT, EISDIR, ENOTDIR, ENOTEMPTY, EEXIST, 0}); break;
        case 5: allow(link(path, other) < 0, "link", path, (int[]){ENOENT, EEXIST, EPERM, 0}); break;
        case 6: allow(mkdir(path, 0755) < 0, "mkdir", path, (int[]){EEXIST, 0}); break;
        case 7: allow(rmdir(path) < 0, "rmdir", path, (int[]){ENOENT, ENOTDIR, ENOTEMPTY, 0}); break;
        case 8: allow(symlink("s0", path) < 0, "symlink", path, (int[]){EEXIST, 0}); break;
        default: allow(lstat(path, &status) < 0, "lstat", path, (int[]){ENOENT, 0});
    }
}

static void work(int process, long operations, uint64_t seed) {
    self = process;
    random_state = (seed * MOST_PROCESSES + process) * 2 + 1;
    for (int i = 0; i < 16; i++) below(2);  // close seeds begin alike
    for (operation = 0; operation < operations; operation++)
        if (below(3)) do_own();
        else do_shared();
    for (int number = 0; number < OWN_FILES; number++) verify_own(self, number);
    for (int directory = 0; directory < DIRECTORIES; directory++) list_directory(directory);
    exit(0);
}

static int by_bytes(const struct dirent **left, const struct dirent **right) {
    return strcmp((*left)->d_name, (*right)->d_name);
}

// Now that nobody changes anything: two listings are equal, and every name in them is there.
static void check_directory(const char *path) {
    struct dirent **first, **second;
    int count = scandir(path, &first, NULL, by_bytes), again = scandir(path, &second, NULL, by_bytes);
    if (count < 0 || count != again) fail("%s lists %d entries, then %d", path, count, again);
    for (int i = 0; i < count; i++) {
        const char *name = first[i]->d_name;
        char child[512];
        struct stat status;
        snprintf(child, sizeof child, "%s/%s", path, name);
        if (strcmp(name, second[i]->d_name) || first[i]->d_ino != second[i]->d_ino) fail("two listings of %s differ at %s", path, name);
        if (i > 0 && !strcmp(name, second[i - 1]->d_name)) fail("%s lists %s twice", path, name);
        if (lstat(child, &status) < 0) fail("%s lists %s, which is not there", path, name);
        if (status.st_ino != first[i]->d_ino && strcmp(name, "..")) fail("%s: readdir and lstat disagree on the inode", child);
    }
    while (count--) free(first[count]), free(second[count]);
    free(first), free(second);
}

static void remove_all(const char *path) {
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, by_bytes);
    for (int i = 0; i < count; i++) {
        char child[512];
        snprintf(child, sizeof child, "%s/%s", path, entries[i]->d_name);
        if (strcmp(entries[i]->d_name, ".") && strcmp(entries[i]->d_name, "..")) {
            // A shared directory is empty, as only names in d0…d5 are made.
            if (unlink(child) < 0 && (errno != EISDIR || rmdir(child) < 0)) fail("remove %s", child);
        }
        free(entries[i]);
    }
    free(entries);
    if (rmdir(path) < 0) fail("rmdir %s", path);
}

static int wait_for_all(int processes) {
    int failed = 0, status;
    while (processes-- && wait(&status) > 0) {
        if (WIFSIGNALED(status)) fprintf(stderr, "mixed: a process died of signal %d\n", WTERMSIG(status));
        failed |= status != 0;
    }
    return failed;
}

int main(int count, char **arguments) {
    if (count != 5) { fprintf(stderr, "usage: mixed DIRECTORY PROCESSES OPERATIONS SEED\n"); return 2; }
    int processes = atoi(arguments[2]);
    if (processes < 1 || processes > MOST_PROCESSES) fail("PROCESSES must be 1 to %d", MOST_PROCESSES);
    if (chdir(arguments[1]) < 0) fail("chdir %s", arguments[1]);
    files = mmap(NULL, sizeof *files * processes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    untrue_counts = mmap(NULL, sizeof *untrue_counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (files == MAP_FAILED || untrue_counts == MAP_FAILED) fail("mmap");
    char path[16];
    for (int i = 0; i < DIRECTORIES; i++) {
        sprintf(path, "d%d", i);
        if (mkdir(path, 0755) < 0) fail("mkdir %s", path);
    }
    for (int process = 0; process < processes; process++) {
        pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) work(process, atol(arguments[3]), strtoull(arguments[4], NULL, 10));
    }
    if (wait_for_all(processes)) return 1;
    for (int process = 0; process < processes; process++)
        for (int number = 0; number < OWN_FILES; number++) verify_own(process, number);
    for (int i = 0; i < DIRECTORIES; i++) {
        sprintf(path, "d%d", i);
        check_directory(path);
        remove_all(path);
    }
    printf("%d processes of %s operations, nothing lost\n", processes, arguments[3]);
    if (*untrue_counts > 0) printf("a link count of the kernel was not true, %ld times\n", *untrue_counts);
    return 0;
}
