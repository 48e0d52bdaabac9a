/*
 * The limit over io_uring: one system call for each request, which gives an answer and waits for the next request
 * (limit_answers.h says what it answers). A thread for each core serves that core's queue and runs there alone.
 * The kernel's Documentation/filesystems/fuse/fuse-io-uring.rst; io_uring(7), without liburing.
 *
 *     limit_uring MOUNTPOINT off|default|best
 */
#include "limit_answers.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

/* Of linux/fuse.h since 7.42, which Debian's headers may not have yet. */
enum { REGISTER = 1, COMMIT_AND_FETCH = 2, OVER_IO_URING = 1 << (41 - 32) };
struct command {
	uint64_t flags, commit_id;
	uint16_t queue, padding[3];
};
struct header {
	char in_out[128], operation[128];
	uint64_t flags, commit_id;
	uint32_t payload_size, padding;
	uint64_t reserved;
};

/* Requests that a queue holds at a time. */
enum { DEPTH = 8 };

/* Memory that the kernel writes a request into and takes the answer from; it holds one request at a time. */
struct entry {
	struct request request; /* the first, so that a request is its entry */
	struct header header;
	struct iovec vectors[2];
	char payload[LARGE];
};

/* The calling thread's ring. */
static _Thread_local struct {
	int descriptor;
	unsigned core, pending, *tail, *mask, *completion_head, *completion_tail, *completion_mask;
	struct io_uring_sqe *submissions; /* each as long as two, with IORING_SETUP_SQE128 */
	struct io_uring_cqe *completions;
} ring;

static void fail(const char *what) { perror(what), exit(1); }

static void *map(size_t size, off_t offset)
{
	void *found = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.descriptor, offset);
	if (found == MAP_FAILED) fail("limit: cannot map a ring");
	return found;
}

static void make_ring(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQE128 | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	ring.descriptor = syscall(SYS_io_uring_setup, DEPTH, &params);
	if (ring.descriptor < 0) fail("limit: cannot make a ring");
	/* Both queues are in one mapping (IORING_FEAT_SINGLE_MMAP). */
	char *rings = map(params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_SQ_RING);
	ring.submissions = map(params.sq_entries * 2 * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.tail = (unsigned *)(rings + params.sq_off.tail);
	ring.mask = (unsigned *)(rings + params.sq_off.ring_mask);
	ring.completion_head = (unsigned *)(rings + params.cq_off.head);
	ring.completion_tail = (unsigned *)(rings + params.cq_off.tail);
	ring.completion_mask = (unsigned *)(rings + params.cq_off.ring_mask);
	ring.completions = (struct io_uring_cqe *)(rings + params.cq_off.cqes);
	for (unsigned at = 0; at < params.sq_entries; at++) ((unsigned *)(rings + params.sq_off.array))[at] = at;
}

/* Gives an entry to the kernel with the next system call. */
static void submit(struct entry *entry, unsigned command)
{
	unsigned tail = *ring.tail;
	struct io_uring_sqe *submission = ring.submissions + 2 * (tail & *ring.mask);
	*submission = (struct io_uring_sqe){
		.opcode = IORING_OP_URING_CMD,
		.fd = device,
		.cmd_op = command,
		.user_data = (uint64_t)entry,
		.addr = command == REGISTER ? (uint64_t)entry->vectors : 0,
		.len = command == REGISTER ? 2 : 0,
	};
	*(struct command *)submission->cmd = (struct command){ .commit_id = entry->header.commit_id, .queue = ring.core };
	__atomic_store_n(ring.tail, tail + 1, __ATOMIC_RELEASE);
	ring.pending++;
}

static void answer_in_ring(struct request *request, int error, const void *data, size_t size)
{
	struct entry *entry = (void *)request;
	struct fuse_out_header *out = (void *)entry->header.in_out;
	*out = (struct fuse_out_header){ .len = sizeof *out + size, .error = -error, .unique = request->header->unique };
	memcpy(entry->payload, data, size);
	entry->header.payload_size = size;
	submit(entry, COMMIT_AND_FETCH);
}

static void register_entry(void)
{
	struct entry *entry = mmap(NULL, sizeof *entry, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (entry == MAP_FAILED) fail("limit: no memory");
	entry->request = (struct request){ (void *)entry->header.in_out, entry->header.operation, entry->payload };
	entry->vectors[0] = (struct iovec){ &entry->header, sizeof entry->header };
	entry->vectors[1] = (struct iovec){ entry->payload, sizeof entry->payload };
	submit(entry, REGISTER);
}

/* Hands over what was submitted and waits for a request. */
static void enter(void)
{
	int taken = syscall(SYS_io_uring_enter, ring.descriptor, ring.pending, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	if (taken < 0 && errno != EINTR) fail("limit: cannot wait");
	if (taken > 0) ring.pending -= taken;
}

/* Serves the queue of one core until the mount ends. */
static void *serve_queue(void *core)
{
	cpu_set_t cores;
	CPU_ZERO(&cores);
	CPU_SET(ring.core = (uintptr_t)core, &cores);
	sched_setaffinity(0, sizeof cores, &cores); /* fails for cores that are off, whose queue must be there all the same */
	answer = answer_in_ring;
	make_ring();
	for (int i = 0; i < DEPTH; i++) register_entry();
	for (;;) {
		enter();
		unsigned head = *ring.completion_head, tail = __atomic_load_n(ring.completion_tail, __ATOMIC_ACQUIRE);
		for (; head != tail; head++) {
			struct io_uring_cqe *completion = ring.completions + (head & *ring.completion_mask);
			if (completion->res < 0) return NULL; /* the main thread hears why */
			serve((struct request *)completion->user_data);
		}
		__atomic_store_n(ring.completion_head, head, __ATOMIC_RELEASE);
	}
}

int main(int argc, char **argv)
{
	more_features = OVER_IO_URING;
	mount_as_told(argc, argv);
	serve_device(); /* INIT */
	for (uintptr_t core = 0; core < (uintptr_t)get_nprocs_conf(); core++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, serve_queue, (void *)core)) fail("limit: cannot start a thread");
	}
	while (serve_device()); /* FORGET and INTERRUPT, and the end */
	return 0;
}
