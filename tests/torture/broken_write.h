// Included ahead of fsx.c to see that it notices: the 100th write leaves out its last byte and says it did not.
#define _GNU_SOURCE
#include <unistd.h>

static inline ssize_t broken_pwrite(int file, const void *bytes, size_t length, off_t offset) {
    static int calls;
    if (++calls != 100) return pwrite(file, bytes, length, offset);
    return pwrite(file, bytes, length - 1, offset) < 0 ? -1 : (ssize_t)length;
}

#define pwrite broken_pwrite
