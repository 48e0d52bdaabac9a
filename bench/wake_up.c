/*
 * What a request to another process costs before anybody does anything for it: a byte through a pipe to a process that
 * sleeps in read(2), and one back. Figures of FUSE hang on it more than on any server: where a core that has nothing to
 * do is halted at once, as on many virtual machines, waking a process there takes ten times as long as on one's own.
 *
 *     wake_up
 *
 * Prints microseconds for both ways, the median, with the two processes on one core and on two; `-` without a second.
 */
#define _GNU_SOURCE
#include "timing.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WARM = 500, COUNT = 2001 };

static void run_on(int core)
{
	cpu_set_t cores;
	CPU_ZERO(&cores);
	CPU_SET(core, &cores);
	if (sched_setaffinity(0, sizeof cores, &cores)) fail("cannot choose a core");
}

/* Sends a byte there and back until `COUNT` were timed. */
static double median_round_trip(int core, int other)
{
	static double times[COUNT];
	int there[2], back[2];
	char byte = 0;
	if (pipe(there) || pipe(back)) fail("cannot make a pipe");
	pid_t child = fork();
	if (child < 0) fail("cannot fork");
	if (child == 0) {
		close(there[1]); /* so that it reads the end when there is no parent any more */
		run_on(other);
		while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1);
		_exit(0);
	}
	close(back[1]);
	run_on(core);
	for (int i = -WARM; i < COUNT; i++) {
		double begin = now();
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) fail("cannot send a byte there and back");
		if (i >= 0) times[i] = now() - begin;
	}
	close(there[0]), close(there[1]), close(back[0]);
	waitpid(child, NULL, 0);
	qsort(times, COUNT, sizeof *times, by_size);
	return times[COUNT / 2];
}

int main(void)
{
	cpu_set_t allowed;
	int cores[2], found = 0;
	signal(SIGPIPE, SIG_IGN); /* a write says so instead */
	if (sched_getaffinity(0, sizeof allowed, &allowed)) fail("cannot ask for the cores");
	for (int core = 0; core < CPU_SETSIZE && found < 2; core++)
		if (CPU_ISSET(core, &allowed)) cores[found++] = core;
	printf("%.1f ", median_round_trip(cores[0], cores[0]));
	if (found == 2) printf("%.1f\n", median_round_trip(cores[0], cores[1]));
	else printf("-\n");
	return 0;
}
