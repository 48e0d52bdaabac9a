// Included ahead of changing_source.c to see that it notices: from its 100th on, a process's first write that is not of
// whole pages comes 8 bytes too far. With O_DIRECT (whole pages) the kernel would refuse it: EINVAL, and nothing to notice.
#define _GNU_SOURCE
#include <unistd.h>

static inline ssize_t misplaced_pwrite(int file, const void *bytes, size_t length, off_t offset) {
    static int calls, misplaced;
    if (++calls < 100 || misplaced || length % 4096 == 0) return pwrite(file, bytes, length, offset);
    misplaced = 1;
    return pwrite(file, bytes, length, offset + 8);
}

#define pwrite misplaced_pwrite
