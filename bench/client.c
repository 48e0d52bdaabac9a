/*
 * The client of the benchmarks: operations on files, each for some milliseconds, from one or several processes at once.
 * Processes of their own, so that they share no scheduler with the server they measure.
 *
 *     client DIRECTORY prepare PROCESSES LISTED
 *     client DIRECTORY MILLISECONDS PROCESSES OPERATION...
 *
 * Each process works in its own folder DIRECTORY/N, which `prepare` fills: small files, a large one, and a folder of
 * LISTED entries. All processes begin each operation at the same moment. The first eighth of the time warms up and is not
 * counted. Prints a line for each operation: its name and the wall-clock microseconds per operation (of all processes
 * together), or its name, `-` and why it failed.
 */
#define _GNU_SOURCE
#include "timing.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES = 100, TINY = 1 << 10, SMALL = 4 << 10, LARGE = 1 << 20, LARGE_FILE = 32 << 20 };
enum { MOST_OPERATIONS = 64, MOST_PROCESSES = 64, FEW = 200 };

static char data[LARGE];
static int large = -1;           /* the large file, open while an operation reads or writes it */
static long created, linked;     /* new0 to new<created - 1> exist, and as many links */
static volatile char seen;       /* what a mapping showed, so that it is read */

static const char *name(const char *prefix, long i)
{
	static char names[2][64];
	static int turn;
	snprintf(names[turn ^= 1], sizeof names[0], "%s%ld", prefix, i);
	return names[turn];
}

static int make_file(const char *path, size_t size)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	if (fd < 0) return -1;
	for (size_t done = 0; done < size; done += size < LARGE ? size : LARGE)
		if (write(fd, data, size < LARGE ? size : LARGE) < 0) return -1;
	return close(fd);
}

static int prepare(long listed)
{
	for (int i = 0; i < FILES; i++)
		if (make_file(name("f", i), TINY) < 0) return -1;
	if (mkdir("list", 0755) < 0) return -1;
	for (long i = 0; i < listed; i++)
		if (make_file(name("list/", i), 0) < 0) return -1;
	return make_file("large", LARGE_FILE);
}

/* The operations. Each does the i-th of its kind; -1 is a failure, of which errno tells. */

static int do_stat(long i)
{
	struct stat st;
	return stat(name("f", i % FILES), &st);
}

static int do_negative(long i)
{
	struct stat st;
	if (stat(name("none", i), &st) == 0) errno = EEXIST;
	return errno == ENOENT ? 0 : -1;
}

static int do_open(long i)
{
	int fd = open(name("f", i % FILES), O_RDONLY);
	return fd < 0 ? -1 : close(fd);
}

static int do_read1k(long i)
{
	int fd = open(name("f", i % FILES), O_RDONLY);
	if (fd < 0) return -1;
	ssize_t size = read(fd, data, TINY);
	return close(fd) < 0 || size != TINY ? -1 : 0;
}

/* One operation is a whole listing and a stat of each entry. */
static int do_readdir(long i)
{
	struct stat st;
	DIR *dir = opendir("list");
	(void)i;
	if (!dir) return -1;
	for (struct dirent *e; (e = readdir(dir));)
		if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) return -1;
	return closedir(dir);
}

static int do_create(long i)
{
	int fd = open(name("new", i), O_CREAT | O_EXCL | O_WRONLY, 0644);
	if (fd < 0) return -1;
	created = i + 1;
	return close(fd);
}

/* All files there and back, in turns. */
static int do_rename(long i)
{
	int back = i / FILES % 2;
	return rename(name(back ? "moved" : "f", i % FILES), name(back ? "f" : "moved", i % FILES));
}

static int do_symlink(long i)
{
	if (symlink("f0", name("link", i)) < 0) return -1;
	linked = i + 1;
	return 0;
}

static int do_unlink(long i)
{
	(void)i;
	if (created == 0) return 1;
	return unlink(name("new", --created));
}

static off_t in_order(long i, ssize_t size)
{
	return (off_t)i * size % LARGE_FILE;
}

static off_t anywhere(ssize_t size)
{
	static uint64_t state = 88172645463325252u;
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (off_t)(state % (LARGE_FILE / size)) * size;
}

static int read_piece(ssize_t size, off_t at)
{
	return pread(large, data, size, at) == size ? 0 : -1;
}

static int write_piece(ssize_t size, off_t at)
{
	return pwrite(large, data, size, at) == size ? 0 : -1;
}

static int do_read4k(long i) { return read_piece(SMALL, in_order(i, SMALL)); }
static int do_read1m(long i) { return read_piece(LARGE, in_order(i, LARGE)); }
static int do_random_read4k(long i) { return (void)i, read_piece(SMALL, anywhere(SMALL)); }
static int do_random_read1m(long i) { return (void)i, read_piece(LARGE, anywhere(LARGE)); }
static int do_write4k(long i) { return write_piece(SMALL, in_order(i, SMALL)); }
static int do_write1m(long i) { return write_piece(LARGE, in_order(i, LARGE)); }
static int do_random_write4k(long i) { return (void)i, write_piece(SMALL, anywhere(SMALL)); }
static int do_random_write1m(long i) { return (void)i, write_piece(LARGE, anywhere(LARGE)); }

/* One operation is a write of 4 KiB and an fsync. */
static int do_fsync(long i)
{
	return write_piece(SMALL, in_order(i, SMALL)) < 0 ? -1 : fsync(large);
}

/* One operation maps 1 MiB, looks at each page and unmaps it. */
static int do_mmap(long i)
{
	char *pages = mmap(NULL, LARGE, PROT_READ, MAP_PRIVATE, large, in_order(i, LARGE));
	if (pages == MAP_FAILED) return -1;
	for (int at = 0; at < LARGE; at += SMALL) seen += pages[at];
	return munmap(pages, LARGE);
}

/* `flags` open the large file. */
static const struct operation {
	const char *name;
	int (*run)(long i);
	int flags;
} OPERATIONS[] = {
	{ "stat", do_stat, -1 },
	{ "negative", do_negative, -1 },
	{ "open", do_open, -1 },
	{ "read1k", do_read1k, -1 },
	{ "readdir", do_readdir, -1 },
	{ "create", do_create, -1 },
	{ "rename", do_rename, -1 },
	{ "symlink", do_symlink, -1 },
	{ "unlink", do_unlink, -1 },
	{ "read4k", do_read4k, O_RDONLY },
	{ "read1m", do_read1m, O_RDONLY },
	{ "random_read4k", do_random_read4k, O_RDONLY },
	{ "random_read1m", do_random_read1m, O_RDONLY },
	{ "write4k", do_write4k, O_WRONLY },
	{ "write1m", do_write1m, O_WRONLY },
	{ "random_write4k", do_random_write4k, O_WRONLY },
	{ "random_write1m", do_random_write1m, O_WRONLY },
	{ "fsync", do_fsync, O_WRONLY },
	{ "mmap", do_mmap, O_RDONLY },
};

struct result {
	double count, microseconds;
	int failure; /* an errno, or 0 */
};

/* What the processes share. */
struct shared {
	pthread_barrier_t barrier;
	struct result results[MOST_OPERATIONS][MOST_PROCESSES];
};

static int set_up(const struct operation *operation)
{
	if (operation->flags >= 0 && (large = open("large", operation->flags)) < 0) return -1;
	/* What `create` made, or a few more. */
	while (operation->run == do_unlink && created < FEW)
		if (do_create(created) < 0) return -1;
	return 0;
}

/* What there was before, where the next operation needs it. */
static void tear_down(const struct operation *operation)
{
	if (large >= 0) close(large);
	large = -1;
	if (operation->run == do_rename)
		for (int i = 0; i < FILES; i++) rename(name("moved", i), name("f", i));
	while (linked > 0) unlink(name("link", --linked));
	if (operation->run == do_unlink)
		while (created > 0) unlink(name("new", --created));
}

/* Does it until `end`, at least once, beginning with the `from`-th. Returns how many it did, -1 for a failure. */
static long repeat(const struct operation *operation, long from, double end)
{
	long i = from;
	do {
		errno = 0;
		int result = operation->run(i);
		if (result > 0) break;
		if (result < 0) return -1;
		i++;
	} while (now() < end);
	return i - from;
}

static void measure(const struct operation *operation, double milliseconds, struct shared *shared, struct result *result)
{
	long warm = 0, count = -1;
	int ready = set_up(operation);
	/* A second listing would take as long as all the others. */
	if (ready == 0 && operation->run != do_readdir) warm = repeat(operation, 0, now() + milliseconds * 125);
	if (ready < 0 || warm < 0) result->failure = errno ? errno : EIO;
	pthread_barrier_wait(&shared->barrier);
	double begin = now();
	if (!result->failure) count = repeat(operation, warm, begin + milliseconds * 1000);
	result->microseconds = now() - begin;
	if (count < 0 && !result->failure) result->failure = errno ? errno : EIO;
	result->count = count;
	pthread_barrier_wait(&shared->barrier);
	tear_down(operation);
}

static const struct operation *find(const char *wanted)
{
	for (size_t i = 0; i < sizeof OPERATIONS / sizeof *OPERATIONS; i++)
		if (!strcmp(OPERATIONS[i].name, wanted)) return OPERATIONS + i;
	fprintf(stderr, "unknown operation %s\n", wanted);
	exit(2);
}

static void print(const char *operation, const struct result *results, int processes)
{
	double per_microsecond = 0;
	for (int p = 0; p < processes; p++) {
		if (results[p].failure) {
			printf("%s - %s\n", operation, strerror(results[p].failure));
			return;
		}
		per_microsecond += results[p].count / results[p].microseconds;
	}
	printf("%s %.4f\n", operation, 1 / per_microsecond);
}

static int enter(const char *directory, int process)
{
	char folder[4096];
	snprintf(folder, sizeof folder, "%s/%d", directory, process);
	if (mkdir(folder, 0755) < 0 && errno != EEXIST) return -1;
	return chdir(folder);
}

static int work(char **argv, int process, struct shared *shared)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (enter(argv[1], process) < 0) return perror(argv[1]), 1;
	if (!strcmp(argv[2], "prepare")) return prepare(atol(argv[4])) < 0 ? perror("prepare"), 1 : 0;
	for (int o = 0; argv[4 + o]; o++) measure(find(argv[4 + o]), atof(argv[2]), shared, &shared->results[o][process]);
	while (created > 0) unlink(name("new", --created));
	return 0;
}

int main(int argc, char **argv)
{
	int processes = argc > 4 ? atoi(argv[3]) : 0, failed = 0;
	if (processes < 1 || processes > MOST_PROCESSES || argc > 4 + MOST_OPERATIONS) return fputs("see client.c\n", stderr), 2;
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t attributes;
	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&shared->barrier, &attributes, processes);
	for (int p = 0; p < processes; p++)
		if (fork() == 0) exit(work(argv, p, shared));
	for (int status; wait(&status) > 0;) failed |= status;
	if (failed) return 1;
	if (strcmp(argv[2], "prepare"))
		for (int o = 0; argv[4 + o]; o++) print(argv[4 + o], shared->results[o], processes);
	return 0;
}
