/*
 * The client of passthrough_data.ts: reads or writes one open file, pieces of SIZE bytes, in order or at random places, and
 * prints microseconds per piece; or opens and closes it.
 *
 *     passthrough_data FILE read|write|open sequential|random SIZE COUNT
 *
 * The file has 256 MiB and is in the page cache. The first eighth of the pieces warms up and is not counted.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 1 << 20, FILE_SIZE = 256 << 20 };

static char data[LARGEST];

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	if (argc != 6) return 2;
	const char *path = argv[1];
	int writes = !strcmp(argv[2], "write"), opens = !strcmp(argv[2], "open"), random_places = !strcmp(argv[3], "random");
	long size = atol(argv[4]), count = atol(argv[5]), pieces = FILE_SIZE / size;
	uint64_t state = 88172645463325252u;
	double begin = 0;
	int fd = open(path, writes ? O_WRONLY : O_RDONLY);
	if (fd < 0) fail(path);
	for (long i = 0; i < count; i++) {
		if (i == count / 8) begin = now();
		if (opens) {
			int other = open(path, O_RDONLY);
			if (other < 0 || close(other) < 0) fail(path);
			continue;
		}
		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		off_t at = (random_places ? (long)(state % pieces) : i % pieces) * size;
		if ((writes ? pwrite(fd, data, size, at) : pread(fd, data, size, at)) != size) fail("piece");
	}
	printf("%.4f\n", (now() - begin) / (count - count / 8));
	return 0;
}
