// Random reads, writes, truncates and mmaps of one file, checked against a copy in memory after every read.
//
//   fsx FILE OPERATIONS SEED [direct] [no-mmap] [no-allocate] [no-copy]
//
// The same seed makes the same operations. On a difference it prints the last operations, writes what should have been
// in the file to FILE.expected, leaves FILE and exits with 1; a failed system call exits with 2. `direct` opens the
// file with O_DIRECT, aligns everything to 4096 bytes and leaves out mmap and copies.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST_FILE = 1 << 18, LARGEST_OPERATION = 1 << 16, BLOCK = 4096, LOG_LINES = 60, LOG_WIDTH = 120 };

static const char *path;
static int file = -1;
static long operation, size;
static long unit = 1;  // every offset and length is a multiple of it
static int direct, no_mmap, no_allocate, no_copy;
static unsigned char expected[LARGEST_FILE];  // zero from `size` on
static unsigned char *buffer;
static char log_lines[LOG_LINES][LOG_WIDTH];
static uint64_t random_state;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...) {
    char *line = log_lines[operation % LOG_LINES];
    int start = snprintf(line, LOG_WIDTH, "%ld ", operation);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + start, LOG_WIDTH - start, format, arguments);
    va_end(arguments);
}

static void print_log(void) {
    long first = operation < LOG_LINES ? 0 : operation - LOG_LINES + 1;
    fprintf(stderr, "the last operations on %s:\n", path);
    for (long i = first; i <= operation; i++) fprintf(stderr, "  %s\n", log_lines[i % LOG_LINES]);
}

static void give_up(const char *call) {
    fprintf(stderr, "fsx: %s: %s\n", call, strerror(errno));
    print_log();
    exit(2);
}

static void save_expected(void) {
    char name[4096];
    snprintf(name, sizeof name, "%s.expected", path);
    int out = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (out >= 0 && write(out, expected, size) == size) fprintf(stderr, "what should be in it: %s\n", name);
}

static void differ(const char *what, long expected_value, long value) {
    fprintf(stderr, "fsx: %s: expected %ld (0x%lx), not %ld (0x%lx)\n", what, expected_value, expected_value, value, value);
    print_log();
    save_expected();
    exit(1);
}

// xorshift64*: the same everywhere.
static uint64_t next_random(void) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717u;
}

static long below(long limit) { return limit <= 0 ? 0 : (long)(next_random() % (uint64_t)limit); }

static long aligned(long value) { return value - value % unit; }

// A place in the file: often just at the end or a page's edge, where the errors are.
static long choose_offset(long limit) {
    long offset = below(limit);
    long kind = below(10);
    if (kind == 0 && size < limit) offset = size;
    if (kind == 1) offset -= offset % BLOCK;
    if (kind == 2 && offset > BLOCK) offset -= offset % BLOCK + 1;
    return aligned(offset);
}

static long choose_length(long offset) {
    long length = below(4) ? below(LARGEST_OPERATION / 8) + 1 : below(LARGEST_OPERATION) + 1;
    if (below(8) == 0) length = BLOCK;
    if (offset + length > LARGEST_FILE) length = LARGEST_FILE - offset;
    return aligned(length);
}

static void open_file(int flags) {
    file = open(path, O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0) | flags, 0644);
    if (file < 0) give_up("open");
}

static void compare(const unsigned char *bytes, long offset, long length) {
    for (long i = 0; i < length; i++)
        if (bytes[i] != expected[offset + i]) {
            fprintf(stderr, "fsx: byte %ld of the file (%ld of this read) of %ld\n", offset + i, i, size);
            differ("byte", expected[offset + i], bytes[i]);
        }
}

static void check_size(void) {
    struct stat status;
    if (fstat(file, &status) < 0) give_up("fstat");
    if (status.st_size != size) differ("st_size", size, status.st_size);
}

// Set before the file is changed: the operation's own bytes are never those that were there.
static void fill(long length) {
    unsigned char start = (unsigned char)(1 + operation % 251);
    for (long i = 0; i < length; i++) buffer[i] = (unsigned char)(start + i % 241);
}

static void extend_to(long end) {
    if (end > size) size = end;
}

static void do_read(void) {
    long offset = choose_offset(LARGEST_FILE), length = choose_length(offset);
    note("read %ld+%ld", offset, length);
    ssize_t count = pread(file, buffer, length, offset);
    if (count < 0) give_up("pread");
    long available = offset >= size ? 0 : size - offset < length ? size - offset : length;
    if (count != available) differ("bytes read", available, count);
    compare(buffer, offset, count);
}

static void do_write(void) {
    long offset = choose_offset(LARGEST_FILE), length = choose_length(offset);
    note("write %ld+%ld (size %ld)", offset, length, size);
    if (length <= 0) return;
    fill(length);
    ssize_t count = pwrite(file, buffer, length, offset);
    if (count < 0) give_up("pwrite");
    if (count != length) differ("bytes written", length, count);
    memcpy(expected + offset, buffer, length);
    extend_to(offset + length);
}

static void do_truncate(void) {
    long length = below(5) ? choose_offset(LARGEST_FILE) : 0;
    int by_path = below(2);
    note("%s %ld (size %ld)", by_path ? "truncate" : "ftruncate", length, size);
    if ((by_path ? truncate(path, length) : ftruncate(file, length)) < 0) give_up("truncate");
    if (length < size) memset(expected + length, 0, size - length);
    size = length;
}

// Maps the pages around a stretch of the file and hands back where it begins.
static unsigned char *map(long offset, long length, int protection, unsigned char **mapping, long *mapped) {
    long start = offset - offset % BLOCK;
    *mapped = offset + length - start;
    *mapping = mmap(NULL, *mapped, protection, MAP_SHARED, file, start);
    if (*mapping == MAP_FAILED) give_up("mmap");
    return *mapping + (offset - start);
}

// Past the end of the file the rest of its last page reads as zeros (mmap(2)), unless somebody stored there.
static void check_tail(const unsigned char *mapping, long start) {
    long end = size + (BLOCK - size % BLOCK) % BLOCK;
    for (long at = size; at < end; at++)
        if (mapping[at - start]) {
            fprintf(stderr, "fsx: byte %ld behind the end, in the last page\n", at - size);
            differ("byte after the end", 0, mapping[at - start]);
        }
}

static void do_map_read(void) {
    if (size == 0) return;
    unsigned char *mapping;
    long mapped, offset = below(size), length = below(size - offset) + 1;
    note("mmap read %ld+%ld (size %ld)", offset, length, size);
    const unsigned char *bytes = map(offset, length, PROT_READ, &mapping, &mapped);
    compare(bytes, offset, length);
    if (offset + length == size) check_tail(mapping, offset - offset % BLOCK);
    if (munmap(mapping, mapped) < 0) give_up("munmap");
}

static void do_map_write(void) {
    long offset = choose_offset(LARGEST_FILE - 1), length = choose_length(offset), mapped;
    unsigned char *mapping;
    note("mmap write %ld+%ld (size %ld)", offset, length, size);
    if (offset + length > size) {
        if (ftruncate(file, offset + length) < 0) give_up("ftruncate");
        extend_to(offset + length);
    }
    unsigned char *bytes = map(offset, length, PROT_READ | PROT_WRITE, &mapping, &mapped);
    fill(length);
    memcpy(bytes, buffer, length);
    memcpy(expected + offset, buffer, length);
    if (below(2) && msync(mapping, mapped, MS_SYNC) < 0) give_up("msync");
    if (munmap(mapping, mapped) < 0) give_up("munmap");
}

static void do_allocate(void) {
    long offset = choose_offset(LARGEST_FILE), length = choose_length(offset);
    int keep = below(2);
    note("fallocate %ld+%ld%s (size %ld)", offset, length, keep ? " keep size" : "", size);
    if (length == 0) return;
    if (fallocate(file, keep ? FALLOC_FL_KEEP_SIZE : 0, offset, length) < 0) give_up("fallocate");
    if (!keep) extend_to(offset + length);
}

static void do_punch(void) {
    long offset = choose_offset(LARGEST_FILE), length = choose_length(offset);
    note("punch hole %ld+%ld (size %ld)", offset, length, size);
    if (length == 0) return;
    if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) < 0) give_up("fallocate punch");
    memset(expected + offset, 0, length);
}

// copy_file_range(2) may take less than it was asked for, and refuses ranges of one file that overlap.
static void do_copy(void) {
    long source = choose_offset(LARGEST_FILE), target = choose_offset(LARGEST_FILE);
    long length = choose_length(source > target ? source : target);
    if (source >= size || (source < target + length && target < source + length)) return;
    if (source + length > size) length = size - source;
    note("copy %ld+%ld to %ld (size %ld)", source, length, target, size);
    off_t from = source, to = target;
    while (from < source + length) {
        ssize_t count = copy_file_range(file, &from, file, &to, source + length - from, 0);
        if (count < 0) give_up("copy_file_range");
        if (count == 0) differ("bytes copied before the end", source + length, from);
    }
    memmove(expected + target, expected + source, length);
    extend_to(target + length);
}

static void do_reopen(void) {
    note("close and open");
    if (close(file) < 0) give_up("close");
    open_file(0);
}

static void do_synchronize(void) {
    int data_only = below(2);
    note(data_only ? "fdatasync" : "fsync");
    if ((data_only ? fdatasync(file) : fsync(file)) < 0) give_up("fsync");
}

static void do_one(void) {
    long kind = below(100);
    note("nothing");
    if (kind < 28) do_read();
    else if (kind < 52) do_write();
    else if (kind < 62) do_truncate();
    else if (kind < 72 && !no_mmap) do_map_read();
    else if (kind < 82 && !no_mmap) do_map_write();
    else if (kind < 86 && !no_allocate) do_allocate();
    else if (kind < 91 && !no_allocate) do_punch();
    else if (kind < 95 && !no_copy) do_copy();
    else if (kind < 98) do_reopen();
    else if (kind < 99) do_synchronize();
    else do_read();
    check_size();
}

static void check_whole(void) {
    for (long offset = 0; offset < size; offset += LARGEST_OPERATION) {
        ssize_t count = pread(file, buffer, LARGEST_OPERATION, offset);
        if (count < 0) give_up("pread at the end");
        compare(buffer, offset, count);
        if (count != LARGEST_OPERATION && offset + count != size) differ("bytes in the file", size, offset + count);
    }
}

static void read_options(int count, char **arguments) {
    for (int i = 4; i < count; i++) {
        if (!strcmp(arguments[i], "direct")) direct = no_mmap = no_copy = 1, unit = BLOCK;
        else if (!strcmp(arguments[i], "no-mmap")) no_mmap = 1;
        else if (!strcmp(arguments[i], "no-allocate")) no_allocate = 1;
        else if (!strcmp(arguments[i], "no-copy")) no_copy = 1;
        else { fprintf(stderr, "fsx: unknown option %s\n", arguments[i]); exit(2); }
    }
}

int main(int count, char **arguments) {
    if (count < 4) { fprintf(stderr, "usage: fsx FILE OPERATIONS SEED [direct] [no-mmap] [no-allocate] [no-copy]\n"); return 2; }
    path = arguments[1];
    long operations = atol(arguments[2]);
    random_state = strtoull(arguments[3], NULL, 10) * 2 + 1;
    read_options(count, arguments);
    if (posix_memalign((void **)&buffer, BLOCK, LARGEST_OPERATION)) give_up("posix_memalign");
    open_file(O_CREAT | O_EXCL);
    for (operation = 0; operation < operations; operation++) {
        do_one();
        if (operation % 1000 == 999) check_whole();
    }
    operation--;
    check_whole();
    do_reopen();
    check_whole();
    if (close(file) < 0) give_up("close");
    if (unlink(path) < 0) give_up("unlink");
    printf("%ld operations, no difference\n", operations);
    return 0;
}
