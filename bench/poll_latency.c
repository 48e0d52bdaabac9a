/*
 * How long it takes from "data is ready" to the return from poll: one process writes a byte, another waits for it.
 *
 *     poll_latency FILE COUNT
 *
 * FILE is a fifo, or a file of the filesystems that are measured, which give back what was written. The time runs from
 * just before the write to just after poll has returned. Prints the median and the 99th percentile in microseconds.
 */
#define _GNU_SOURCE
#include "timing.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MOST = 100000, WARM = 50 };

struct shared {
	atomic_int woken;
	double begin, times[MOST];
};

static void wait_for_each(const char *path, int count, struct shared *shared)
{
	int fd = open(path, O_RDWR | O_NONBLOCK);
	char data[16];
	if (fd < 0) fail(path);
	for (int i = 0; i < count; i++) {
		struct pollfd one = { .fd = fd, .events = POLLIN };
		if (poll(&one, 1, 10000) != 1) fail("poll");
		shared->times[i] = now() - shared->begin;
		if (read(fd, data, sizeof data) != 1) fail("read");
		atomic_store(&shared->woken, i + 1);
	}
	exit(0);
}

int main(int argc, char **argv)
{
	int count = argc == 3 ? atoi(argv[2]) + WARM : 0;
	if (count <= WARM || count > MOST) {
		fprintf(stderr, "usage: %s FILE COUNT\n", argv[0]);
		return 2;
	}
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) fail("mmap");
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		wait_for_each(argv[1], count, shared);
	}
	int fd = open(argv[1], O_RDWR | O_NONBLOCK);
	if (fd < 0) fail(argv[1]);
	for (int i = 0; i < count; i++) {
		/* Until the other has read, and sleeps in poll again. */
		for (int tries = 0; atomic_load(&shared->woken) < i; tries++) {
			if (tries > 50000) return fprintf(stderr, "nobody was woken\n"), 1;
			usleep(200);
		}
		usleep(2000);
		shared->begin = now();
		if (write(fd, "x", 1) != 1) fail("write");
	}
	for (int tries = 0; atomic_load(&shared->woken) < count && tries < 50000; tries++) usleep(200);
	qsort(shared->times + WARM, count - WARM, sizeof *shared->times, by_size);
	printf("%.1f %.1f\n", shared->times[WARM + (count - WARM) / 2], shared->times[WARM + (count - WARM) * 99 / 100]);
	return 0;
}
