/*
 * The client of the benchmarks: one kind of operation, many times, from one or several processes, in microseconds per
 * operation. A process of its own, so that it shares no scheduler with the server it measures.
 *
 *     client DIRECTORY OPERATION COUNT PROCESSES
 *
 * Each process works in its own folder DIRECTORY/N, which `prepare` fills. Prints one line: wall-clock microseconds per
 * operation of one process (with several processes, of all of them together).
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

/* Operations that keep one file open. */
static int stream(const char *operation, int count)
{
	int writes = !strncmp(operation, "write", 5);
	if (!writes && strcmp(operation, "read1m")) return 0;
	size_t size = !strcmp(operation, "write4k") ? SMALL : LARGE;
	int fd = open("large", writes ? O_WRONLY : O_RDONLY);
	if (fd < 0) fail("large");
	for (int i = 0; i < count; i++) {
		off_t at = (off_t)i * size % LARGE_FILE;
		if ((writes ? pwrite(fd, data, size, at) : pread(fd, data, size, at)) != (ssize_t)size) fail(operation);
	}
	close(fd);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: %s DIRECTORY OPERATION COUNT PROCESSES\n", argv[0]);
		return 2;
	}
	const char *operation = argv[2];
	int count = atoi(argv[3]), processes = atoi(argv[4]);
	double begin = now();
	for (int p = 0; p < processes; p++) {
		if (fork() != 0) continue;
		char folder[4096];
		snprintf(folder, sizeof folder, "%s/%d", argv[1], p);
		if (mkdir(folder, 0755) < 0 && errno != EEXIST) fail(folder);
		if (chdir(folder) < 0) fail(folder);
		if (!strcmp(operation, "prepare")) prepare();
		else if (!stream(operation, count))
			for (int i = 0; i < count; i++) each(operation, i);
		exit(0);
	}
	int failed = 0;
	for (int status; wait(&status) > 0;) failed |= status;
	if (failed) return 1;
	printf("%.3f\n", (now() - begin) / ((double)count * processes));
	return 0;
}
