/*
 * The client of the benchmarks: one kind of operation, many times, from one or several processes, in microseconds per
 * operation. A process of its own, so that it shares no scheduler with the server it measures.
 *
 *     client DIRECTORY OPERATION COUNT PROCESSES
 *
 * Each process works in its own folder DIRECTORY/N, which `prepare` fills. The first eighth of each process's operations
 * warms up and is not counted; all begin to count at the same moment. Prints one line: wall-clock microseconds per
 * operation (with several processes, of all of them together).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 100, LISTED = 1000, SMALL = 4096, LARGE = 1 << 20, LARGE_FILE = 64 << 20 };

static char data[LARGE];

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void make_file(const char *path, size_t size)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	if (fd < 0) fail(path);
	for (size_t done = 0; done < size; done += size < LARGE ? size : LARGE)
		if (write(fd, data, size < LARGE ? size : LARGE) < 0) fail("write");
	close(fd);
}

static void prepare(void)
{
	char path[64];
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof path, "f%d", i);
		make_file(path, SMALL);
	}
	if (mkdir("list", 0755) < 0 && errno != EEXIST) fail("mkdir");
	for (int i = 0; i < LISTED; i++) {
		snprintf(path, sizeof path, "list/%d", i);
		make_file(path, 0);
	}
	make_file("large", LARGE_FILE);
}

static void each(const char *operation, int i)
{
	char path[64], other[64];
	struct stat st;
	snprintf(path, sizeof path, "f%d", i % FILES);
	if (!strcmp(operation, "stat")) {
		if (stat(path, &st) < 0) fail("stat");
	} else if (!strcmp(operation, "negative")) {
		snprintf(path, sizeof path, "none%d", i);
		if (stat(path, &st) == 0) fail("negative");
	} else if (!strcmp(operation, "open")) {
		int fd = open(path, O_RDONLY);
		if (fd < 0) fail("open");
		close(fd);
	} else if (!strcmp(operation, "read4k")) {
		int fd = open(path, O_RDONLY);
		if (fd < 0 || read(fd, data, SMALL) != SMALL) fail("read");
		close(fd);
	} else if (!strcmp(operation, "create")) {
		snprintf(path, sizeof path, "new%d", i);
		int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd < 0) fail("create");
		close(fd);
	} else if (!strcmp(operation, "rename")) {
		snprintf(path, sizeof path, "new%d", i);
		snprintf(other, sizeof other, "moved%d", i);
		if (rename(path, other) < 0) fail("rename");
	} else if (!strcmp(operation, "unlink")) {
		snprintf(path, sizeof path, "moved%d", i);
		if (unlink(path) < 0) fail("unlink");
	} else if (!strcmp(operation, "symlink")) {
		snprintf(path, sizeof path, "link%d", i);
		if (symlink("f0", path) < 0) fail("symlink");
	} else if (!strcmp(operation, "readdir")) {
		/* One operation is the listing of LISTED entries and a stat of each. */
		DIR *dir = opendir("list");
		if (!dir) fail("opendir");
		for (struct dirent *e; (e = readdir(dir));)
			if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) fail("fstatat");
		closedir(dir);
	} else {
		fprintf(stderr, "unknown operation %s\n", operation);
		exit(2);
	}
}

/* Operations that keep one file open: its descriptor, or -1 for the others. */
static int open_stream(const char *operation)
{
	int writes = !strncmp(operation, "write", 5);
	if (!writes && strcmp(operation, "read1m")) return -1;
	int fd = open("large", writes ? O_WRONLY : O_RDONLY);
	if (fd < 0) fail("large");
	return fd;
}

static void stream(int fd, const char *operation, int i)
{
	ssize_t size = !strcmp(operation, "write4k") ? SMALL : LARGE;
	off_t at = (off_t)i * size % LARGE_FILE;
	if ((*operation == 'w' ? pwrite(fd, data, size, at) : pread(fd, data, size, at)) != size) fail(operation);
}

static void repeat(const char *operation, int fd, int from, int to)
{
	for (int i = from; i < to; i++) fd < 0 ? each(operation, i) : stream(fd, operation, i);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: %s DIRECTORY OPERATION COUNT PROCESSES\n", argv[0]);
		return 2;
	}
	const char *operation = argv[2];
	int count = atoi(argv[3]), processes = atoi(argv[4]), warm = count / 8;
	int ready[2], go[2];
	char byte = 0;
	if (pipe(ready) < 0 || pipe(go) < 0) fail("pipe");
	for (int p = 0; p < processes; p++) {
		if (fork() != 0) continue;
		close(go[1]);
		char folder[4096];
		snprintf(folder, sizeof folder, "%s/%d", argv[1], p);
		if (mkdir(folder, 0755) < 0 && errno != EEXIST) fail(folder);
		if (chdir(folder) < 0) fail(folder);
		if (!strcmp(operation, "prepare")) prepare();
		int fd = open_stream(operation), prepared = !strcmp(operation, "prepare");
		if (!prepared) repeat(operation, fd, 0, warm);
		/* Reading ends when the parent closes its end: the start of all. */
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) < 0) fail("pipe");
		if (!prepared) repeat(operation, fd, warm, count);
		exit(0);
	}
	close(ready[1]);
	for (int p = 0; p < processes; p++)
		if (read(ready[0], &byte, 1) != 1) return 1;
	double begin = now();
	close(go[1]);
	int failed = 0;
	for (int status; wait(&status) > 0;) failed |= status;
	if (failed) return 1;
	printf("%.3f\n", (now() - begin) / ((double)(count - warm) * processes));
	return 0;
}
