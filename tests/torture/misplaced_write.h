// Included ahead of changing_source.c to see that it notices: the 100th write of a process comes 8 bytes too far.
#define _GNU_SOURCE
#include <unistd.h>

static inline ssize_t misplaced_pwrite(int file, const void *bytes, size_t length, off_t offset) {
    static int calls;
    return pwrite(file, bytes, length, ++calls == 100 ? offset + 8 : offset);
}

#define pwrite misplaced_pwrite
