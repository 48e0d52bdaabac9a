// Two processes share a mapped file: what one stores the other sees, in its mapping and by read, and the reverse.
//
//   map_shared FILE
//
// Prints "shared" and exits with 0, or says what was not seen and exits with 1.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 64, PAGE = 4096, SIZE = PAGES * PAGE };

static void fail(const char *what) {
    fprintf(stderr, "map_shared: %s (%s)\n", what, strerror(errno));
    exit(1);
}

static void expect(int truth, const char *what) {
    if (!truth) fail(what);
}

static unsigned char *map(const char *path, int *file) {
    *file = open(path, O_RDWR);
    if (*file < 0) fail("open");
    unsigned char *bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *file, 0);
    if (bytes == MAP_FAILED) fail("mmap");
    return bytes;
}

static unsigned char pattern(int position, int turn) { return (unsigned char)(1 + (position * 7 + turn * 91) % 251); }

static int holds(const unsigned char *bytes, int turn) {
    for (int i = 0; i < SIZE; i++) if (bytes[i] != pattern(i, turn)) return 0;
    return 1;
}

static void store(unsigned char *bytes, int turn) {
    for (int i = 0; i < SIZE; i++) bytes[i] = pattern(i, turn);
}

// The other process: opens and maps by itself, checks turn 1, stores turn 2.
static void child(const char *path) {
    int file;
    unsigned char *bytes = map(path, &file);
    expect(holds(bytes, 1), "the child's mapping has what the parent stored");
    store(bytes, 2);
    exit(0);
}

int main(int count, char **arguments) {
    if (count != 2) { fprintf(stderr, "usage: map_shared FILE\n"); return 2; }
    static unsigned char buffer[SIZE];
    int file = open(arguments[1], O_RDWR | O_CREAT | O_TRUNC, 0644), status;
    if (file < 0 || ftruncate(file, SIZE) < 0) fail("create");
    close(file);
    unsigned char *bytes = map(arguments[1], &file);
    store(bytes, 1);
    if (fork() == 0) child(arguments[1]);
    if (wait(&status) < 0 || status != 0) fail("the child failed");
    expect(holds(bytes, 2), "the parent's mapping has what the child stored");
    expect(pread(file, buffer, SIZE, 0) == SIZE && holds(buffer, 2), "read has what was stored in the mapping");
    for (int i = 0; i < SIZE; i++) buffer[i] = pattern(i, 3);
    expect(pwrite(file, buffer, SIZE, 0) == SIZE && holds(bytes, 3), "the mapping has what was written");
    store(bytes, 4);
    if (msync(bytes, SIZE, MS_SYNC) < 0 || munmap(bytes, SIZE) < 0 || close(file) < 0) fail("msync, munmap, close");
    // Without the pages in memory, what comes back is what the filesystem was given.
    file = open(arguments[1], O_RDONLY);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    expect(read(file, buffer, SIZE) == SIZE && holds(buffer, 4), "the file has what was stored before it was closed");
    // A private mapping keeps its changes to itself.
    unsigned char *own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (own == MAP_FAILED) fail("mmap private");
    store(own, 5);
    expect(pread(file, buffer, SIZE, 0) == SIZE && holds(buffer, 4), "a private mapping does not change the file");
    printf("shared\n");
    return 0;
}
