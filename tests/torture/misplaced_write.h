// Included ahead of changing_source.c to see that it notices: of a process's writes that are not of whole pages, every
// fifth comes 8 bytes too far. Not a single one: what it wrote may be written over before anyone reads it. With O_DIRECT
// (whole pages) the kernel would refuse it: EINVAL, and nothing to notice.
#define _GNU_SOURCE
#include <unistd.h>

static inline ssize_t misplaced_pwrite(int file, const void *bytes, size_t length, off_t offset) {
    static int calls;
    if (length % 4096 == 0 || ++calls % 5) return pwrite(file, bytes, length, offset);
    return pwrite(file, bytes, length, offset + 8);
}

#define pwrite misplaced_pwrite
