/*
 * Many processes that wait for one file.
 *
 *     poll_clients FILE poll|select|level|edge PROCESSES own|shared
 *
 * Each opens the file for itself, or all share one open file. For each line of standard input every process waits once;
 * when all were woken their number is printed. The end of standard input is the end of all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Nobody waits for longer, in seconds. */
enum { DEADLINE = 120 };

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	if (fd < 0) fail(path);
	return fd;
}

static int make_epoll(int fd, const char *how)
{
	struct epoll_event event = { .events = EPOLLIN | (strcmp(how, "edge") ? 0 : EPOLLET) };
	int epoll = epoll_create1(0);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll");
	return epoll;
}

/* How many files are ready, once one is: 1. */
static int wait_once(int fd, int epoll, const char *how)
{
	if (!strcmp(how, "poll")) {
		struct pollfd one = { .fd = fd, .events = POLLIN };
		return poll(&one, 1, -1);
	}
	if (!strcmp(how, "select")) {
		fd_set set;
		FD_ZERO(&set);
		FD_SET(fd, &set);
		return select(fd + 1, &set, NULL, NULL, NULL);
	}
	struct epoll_event event;
	return epoll_wait(epoll, &event, 1, -1);
}

static void client(const char *path, int shared, const char *how, volatile int *round, int done)
{
	int fd = shared < 0 ? open_file(path) : shared;
	int epoll = strcmp(how, "level") && strcmp(how, "edge") ? -1 : make_epoll(fd, how);
	for (int next = 1;; next++) {
		while (*round < next) syscall(SYS_futex, round, FUTEX_WAIT, next - 1, NULL, NULL, 0);
		char woken = wait_once(fd, epoll, how);
		if (write(done, &woken, 1) != 1) exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: %s FILE poll|select|level|edge PROCESSES own|shared\n", argv[0]);
		return 2;
	}
	int processes = atoi(argv[3]), done[2];
	int shared = strcmp(argv[4], "shared") ? -1 : open_file(argv[1]);
	int *round = mmap(NULL, sizeof *round, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (round == MAP_FAILED || pipe(done) < 0) fail("pipe");
	for (int i = 0; i < processes; i++) {
		int child = fork();
		if (child < 0) fail("fork");
		if (child > 0) continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		client(argv[1], shared, argv[2], round, done[1]);
	}
	for (char line[16]; fgets(line, sizeof line, stdin);) {
		alarm(DEADLINE);
		++*round;
		syscall(SYS_futex, round, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		int woken = 0;
		for (int i = 0; i < processes; i++) {
			char one;
			if (read(done[0], &one, 1) != 1) fail("read");
			woken += one == 1;
		}
		printf("%d\n", woken);
		fflush(stdout);
	}
	/* The children end with this process; so do the files that they have open. */
	return 0;
}
