// Random operations on a mount by several processes, while others change the directory behind it in the same way.
//
//   changing_source MOUNT SOURCE INSIDERS OUTSIDERS OPERATIONS SEED SETTLE
//
// MOUNT shows SOURCE; both are empty. Every insider makes OPERATIONS in MOUNT; as long as they do, the outsiders make as
// many in SOURCE, all on the same names. What was lost to a race may fail with the errors of a lost race and no others,
// and what is read was written to that very place of that very file by one of them, or is zero. When all have ended,
// MOUNT must come to equal SOURCE within SETTLE milliseconds: names, attributes and contents; a negative SETTLE does
// without. Leaves the tree behind. Exits with 0, or prints what was wrong and exits with 1.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TOPS = 4, NAMES = 6, HELD = 4, MOST_PROCESSES = 64, PAGE = 4096, LEAD = 100, LARGEST = 16 * PAGE, WORD = 8 };

// What all processes count together. Insiders that are at work, whether a process has failed, operations of both sides, words read by insiders.
static struct shared { atomic_int insiders, failed; atomic_long operations[2], own_words, foreign_words; } *shared;

// A file kept open while its names come and go.
struct held { int file, direct; uint64_t inode; };

static const char *sides[2];  // the directories of the outsiders and of the insiders
static int self = -1, inside, insiders, outsiders;
static uint32_t written;      // writes of this process
static uint64_t random_state;
static struct held held[HELD];
static unsigned char *buffer;
static const char *doing = "the start";
static char path[64], other[64];

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...) {
    char text[512];
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (shared) shared->failed = 1;
    const char *side = self < 0 ? "after all" : inside ? "inside" : "outside";
    fprintf(stderr, "changing_source: %s, process %d, %s %s: %s (errno %s)\n", side, self, doing, path, text, strerrorname_np(number));
    exit(1);
}

// xorshift64*: the same everywhere.
static int below(int limit) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (int)((random_state * 2685821657736338717u >> 33) % (uint64_t)limit);
}

// Errors of a lost race. ELOOP: a symbolic link, or a directory that somebody moved below itself as the kernel knew the
// tree; ESTALE: the kernel knew a directory elsewhere and could not move it in its cache, being busy with another
// (d_splice_alias in fs/dcache.c).
static const int LOST[] = {ENOENT, ENOTDIR, EISDIR, EEXIST, ENOTEMPTY, ELOOP, 0};

static void check(int result, int also) {
    if (result >= 0 || (also && errno == also) || (inside && errno == ESTALE)) return;
    for (const int *error = LOST; *error; error++) if (errno == *error) return;
    fail("failed");
}

// Each 8 bytes of content say who wrote them (lower half), and prove for which file and place (upper half). So small,
// as a read beside a write may see some of either: no filesystem promises more.
static uint64_t word_of(uint64_t inode, uint64_t position, uint32_t tag) {
    uint64_t mixed = (inode * 0x9e3779b97f4a7c15u + position) * 0xbf58476d1ce4e5b9u + tag;
    mixed = (mixed ^ mixed >> 31) * 0x94d049bb133111ebu;
    return mixed >> 32 << 32 | tag;
}

static void verify(uint64_t inode, ssize_t length, off_t offset) {
    if (length % WORD) fail("read %zd bytes at %ld, and all sizes are multiples of %d", length, offset, WORD);
    for (ssize_t at = 0; at < length; at += WORD) {
        uint64_t word;
        memcpy(&word, buffer + at, WORD);
        if (word == 0) continue;
        if (word != word_of(inode, (offset + at) / WORD, (uint32_t)word))
            fail("nobody wrote %016lx to inode %lu at %ld", word, inode, offset + at);
        if (inside) (((uint32_t)word >> 24) - 1 < (uint32_t)insiders ? &shared->own_words : &shared->foreign_words)[0]++;
    }
}

// Whole pages with O_DIRECT, words without.
static int unit(const struct held *open) { return open->direct ? PAGE : WORD; }

static void read_some(const struct held *open) {
    doing = open->direct ? "read with O_DIRECT" : "read";
    off_t offset = below(LARGEST / 2) / unit(open) * unit(open);
    ssize_t count = pread(open->file, buffer, below(4) ? PAGE : LARGEST / 2, offset);
    if (count < 0) fail("failed");
    verify(open->inode, count, offset);
}

static void write_some(const struct held *open) {
    doing = open->direct ? "write with O_DIRECT" : "write";
    off_t offset = below(LARGEST / 2) / unit(open) * unit(open);
    ssize_t length = (below(LARGEST / 2) / unit(open) + 1) * unit(open);
    uint32_t tag = (uint32_t)(self + 1) << 24 | (++written & 0xffffff);
    for (ssize_t at = 0; at < length; at += WORD) {
        uint64_t word = word_of(open->inode, (offset + at) / WORD, tag);
        memcpy(buffer + at, &word, WORD);
    }
    ssize_t count = pwrite(open->file, buffer, length, offset);
    if (count != length) fail("%zd of %zd bytes", count, length);
}

static void use_held(struct held *open) {
    struct stat status;
    switch (below(6)) {
        case 0: case 1: read_some(open); break;
        case 2: write_some(open); break;
        case 3:
            doing = "ftruncate";
            if (ftruncate(open->file, below(LARGEST / WORD) * WORD) < 0) fail("failed");
            break;
        case 4:
            doing = "fstat";
            if (fstat(open->file, &status) < 0) fail("failed");
            if (status.st_ino != open->inode) fail("inode %lu was %lu", status.st_ino, open->inode);
            break;
        default:
            doing = "close";
            if (close(open->file) < 0) fail("failed");
            open->file = -1;
    }
}

// Opens, uses once, and keeps it open when there is a place.
static void open_some(int flags) {
    struct stat status;
    struct held open_file = {.direct = inside && below(4) == 0};
    doing = flags & O_CREAT ? "create" : "open";
    open_file.file = open(path, O_RDWR | O_NOFOLLOW | flags | (open_file.direct ? O_DIRECT : 0), 0755);
    check(open_file.file, 0);
    if (open_file.file < 0) return;
    if (fstat(open_file.file, &status) < 0) fail("fstat failed");
    open_file.inode = status.st_ino;
    if (flags & O_CREAT || below(2)) write_some(&open_file);
    else read_some(&open_file);
    struct held *place = &held[below(HELD)];
    if (place->file < 0) *place = open_file;
    else if (close(open_file.file) < 0) fail("close failed");
}

// A finished file takes the place of another, as editors save.
static void replace(void) {
    char target[64];
    strcpy(target, path);
    sprintf(path, "0/new%d", self);
    open_some(O_CREAT);
    doing = "replace";
    check(rename(path, target), 0);
}

static void list(void) {
    DIR *stream = opendir(path);
    check(stream ? 0 : -1, 0);
    if (!stream) return;
    while (errno = 0, readdir(stream)) continue;
    // A directory that was removed meanwhile lists as ENOENT.
    if (errno) check(-1, 0);
    closedir(stream);
}

// What is at the top never goes, it only changes places; below, every name may be anything.
static void choose(char *out) {
    int length = sprintf(out, "%d/%c", below(TOPS), 'a' + below(NAMES));
    if (below(3) == 0) sprintf(out + length, "/%c", 'a' + below(NAMES));
}

static void exchange_tops(void) {
    sprintf(path, "%d", below(TOPS));
    sprintf(other, "%d", below(TOPS));
    check(renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE), 0);
}

static void look(void) {
    struct stat status;
    char target[PAGE];
    check(lstat(path, &status), 0);
    check(readlink(path, target, sizeof target), EINVAL);
}

static void do_one(void) {
    struct held *open = &held[below(HELD)];
    if (open->file >= 0 && below(2)) { use_held(open); return; }
    choose(path), choose(other);
    switch (below(20)) {
        case 0: case 1: case 2: open_some(O_CREAT); break;
        case 3: case 4: case 5: case 6: open_some(0); break;
        case 7: replace(); break;
        case 8: doing = "truncate", check(truncate(path, below(LARGEST / WORD) * WORD), 0); break;
        case 9: doing = "unlink", check(unlink(path), 0); break;
        case 10: doing = "rename", check(rename(path, other), EINVAL); break;
        case 11: doing = "mkdir", check(mkdir(path, 0755), 0); break;
        case 12: doing = "rmdir", check(rmdir(path), 0); break;
        case 13: doing = "symlink", check(symlink(below(2) ? "b" : "../1/c", path), 0); break;
        case 14: doing = "link", check(link(path, other), EPERM); break;
        case 15: doing = "list", list(); break;
        case 16: doing = "chmod", check(chmod(path, below(2) ? 0700 : 0755), 0); break;
        case 17: doing = "utimensat", check(utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW), 0); break;
        case 18: doing = "exchange", exchange_tops(); break;
        default: doing = "look", look();
    }
}

// Neither side gets far ahead of the other, so that each meets what the other does: the source is much faster than the
// mount, and on a busy machine either may rest for long.
static void keep_pace(void) {
    const int lead = inside ? LEAD : 0;
    while (outsiders > 0 && shared->insiders > 0 && !shared->failed && shared->operations[inside] > shared->operations[!inside] + lead)
        usleep(100);
}

static void work(int process, long operations, uint64_t seed) {
    self = process;
    inside = process < insiders;
    random_state = (seed * MOST_PROCESSES + process) * 2 + 1;
    for (int i = 0; i < 16; i++) below(2);  // close seeds begin alike
    if (posix_memalign((void **)&buffer, PAGE, LARGEST)) fail("posix_memalign");
    for (int i = 0; i < HELD; i++) held[i].file = -1;
    if (chdir(sides[inside]) < 0) fail("chdir %s", sides[inside]);
    for (long done = 0; inside ? done < operations : shared->insiders > 0; done++) {
        keep_pace();
        do_one();
        shared->operations[inside]++;
    }
    exit(0);
}

static char difference[1024];

static int differ(const char *name, const char *what) {
    snprintf(difference, sizeof difference, "%s: %s", name, what);
    return 1;
}

static int by_bytes(const struct dirent **left, const struct dirent **right) {
    return strcmp((*left)->d_name, (*right)->d_name);
}

static int contents_differ(const char *name, const int *files) {
    static unsigned char bytes[2][LARGEST + 1];
    ssize_t count[2];
    for (int side = 0; side < 2; side++) count[side] = pread(files[side], bytes[side], sizeof *bytes, 0);
    if (count[0] < 0 || count[0] != count[1]) return differ(name, "length");
    for (ssize_t at = 0; at < count[0]; at++)
        if (bytes[0][at] != bytes[1][at]) {
            snprintf(difference, sizeof difference, "%s: byte %zd of %zd is %d, not %d", name, at, count[0], bytes[1][at], bytes[0][at]);
            return 1;
        }
    return 0;
}

static int attributes_differ(const char *name, const struct stat *source, const struct stat *mount) {
#define SAME(field) if (source->field != mount->field) return differ(name, #field);
    SAME(st_ino) SAME(st_mode) SAME(st_nlink) SAME(st_uid) SAME(st_gid) SAME(st_size) SAME(st_blocks)
    SAME(st_mtim.tv_sec) SAME(st_mtim.tv_nsec) SAME(st_ctim.tv_sec) SAME(st_ctim.tv_nsec)
#undef SAME
    return 0;
}

static int trees_differ(const char *name);

static int children_differ(const char *name) {
    struct dirent **entries[2];
    int count[2], result = 0;
    for (int side = 0; side < 2; side++) {
        char full[PAGE];
        snprintf(full, sizeof full, "%s/%s", sides[side], name);
        if ((count[side] = scandir(full, &entries[side], NULL, by_bytes)) < 0) count[side] = 0, result = differ(name, "list");
    }
    if (count[0] != count[1]) result = differ(name, "number of names");
    for (int i = 0; i < count[0] && !result; i++) {
        const char *child = entries[0][i]->d_name;
        char below_name[512];
        snprintf(below_name, sizeof below_name, "%s/%s", name, child);
        if (strcmp(child, entries[1][i]->d_name)) result = differ(below_name, "names");
        else if (strcmp(child, ".") && strcmp(child, "..")) result = trees_differ(below_name);
    }
    for (int side = 0; side < 2; side++) {
        while (count[side]--) free(entries[side][count[side]]);
        free(entries[side]);
    }
    return result;
}

static int trees_differ(const char *name) {
    struct stat status[2];
    char full[2][PAGE], target[2][PAGE] = {"", ""};
    for (int side = 0; side < 2; side++) {
        snprintf(full[side], PAGE, "%s/%s", sides[side], name);
        if (lstat(full[side], &status[side]) < 0) return differ(name, "lstat");
        if (S_ISLNK(status[side].st_mode) && readlink(full[side], target[side], PAGE - 1) < 0) return differ(name, "readlink");
    }
    if (attributes_differ(name, &status[0], &status[1])) return 1;
    if (strcmp(target[0], target[1])) return differ(name, "target");
    if (S_ISDIR(status[0].st_mode)) return children_differ(name);
    if (!S_ISREG(status[0].st_mode)) return 0;
    int files[2] = {open(full[0], O_RDONLY), open(full[1], O_RDONLY)};
    int result = files[0] < 0 || files[1] < 0 ? differ(name, "open") : contents_differ(name, files);
    for (int side = 0; side < 2; side++) if (files[side] >= 0) close(files[side]);
    return result;
}

static long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void settle(long limit) {
    // Looks at least once, and once that began after the limit.
    for (long end = milliseconds() + limit, last = 0; trees_differ(".");) {
        if (last) fail("the mount is not as the source after %ld ms: %s", limit, difference);
        last = milliseconds() > end;
        usleep(20000);
    }
}

// Starts all processes, and waits for the insiders first: then the outsiders are told to end.
static int run_all(int processes, long operations, uint64_t seed) {
    int failed = 0, status;
    pid_t children[MOST_PROCESSES];
    shared->insiders = insiders;
    for (int process = 0; process < processes; process++) {
        children[process] = fork();
        if (children[process] < 0) fail("fork");
        if (children[process] == 0) work(process, operations, seed);
    }
    for (int process = 0; process < processes; process++) {
        if (waitpid(children[process], &status, 0) < 0) fail("waitpid");
        if (WIFSIGNALED(status)) fprintf(stderr, "changing_source: process %d died of signal %d\n", process, WTERMSIG(status));
        failed |= status != 0;
        if (process < insiders) shared->insiders--;
    }
    return failed;
}

int main(int count, char **arguments) {
    if (count != 8) {
        fprintf(stderr, "usage: changing_source MOUNT SOURCE INSIDERS OUTSIDERS OPERATIONS SEED SETTLE\n");
        return 2;
    }
    sides[1] = arguments[1], sides[0] = arguments[2];
    insiders = atoi(arguments[3]);
    outsiders = atoi(arguments[4]);
    int settling = atoi(arguments[7]);
    if (insiders < 1 || outsiders < 0 || insiders + outsiders > MOST_PROCESSES) fail("1 to %d processes", MOST_PROCESSES);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fail("mmap");
    for (int i = 0; i < TOPS; i++) {
        snprintf(path, sizeof path, "%d", i);
        char full[PAGE];
        snprintf(full, sizeof full, "%s/%s", sides[0], path);
        if (mkdir(full, 0755) < 0) fail("mkdir");
    }
    if (run_all(insiders + outsiders, atol(arguments[5]), strtoull(arguments[6], NULL, 10))) return 1;
    doing = "comparison", path[0] = 0;
    if (settling >= 0) settle(settling);
    printf("%ld operations inside and %ld outside; insiders read %ld words of their own and %ld of outsiders\n",
           shared->operations[1], shared->operations[0], shared->own_words, shared->foreign_words);
    return 0;
}
