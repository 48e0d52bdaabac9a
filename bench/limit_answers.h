/*
 * The limit: what the kernel's part costs where a filesystem costs nothing. It answers at once what client.c asks, from
 * the names alone: neither files nor libfuse are behind it, and all that it keeps is which names there are.
 *
 * A name is letters and a number (client.c's `f12`, `new3`, and bare numbers for the folders and what `list` lists), and
 * a node is what kind of letters, in which folder, and which number. So there is nothing to look up, and a program that
 * makes other names is refused with EINVAL. Contents are zeros; what is written is dropped.
 *
 * These are the mount, its answers, and the device. limit.c and limit_uring.c include them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TINY = 1 << 10, LARGE = 1 << 20, LARGE_FILE = 32 << 20 }; /* as in client.c */
enum { FOLDERS = 64, NUMBERS = 1 << 20 };

enum kind { ROOT, FOLDER, FILE_, MOVED, NEW, LINK, LIST, LISTED, LARGE_KIND, KINDS };

static const char *const LETTERS[KINDS] = { [FILE_] = "f", [MOVED] = "moved", [NEW] = "new", [LINK] = "link",
	[LIST] = "list", [LARGE_KIND] = "large" };

static const char zeros[LARGE];
static char there[KINDS][FOLDERS][NUMBERS]; /* which names there are; only what is used takes memory */
static int device, cached;
static uint32_t more_features; /* of INIT's second word */
static uid_t uid;
static gid_t gid;

struct request {
	const struct fuse_in_header *header;
	const void *in;   /* the operation's own struct, where it has one */
	const char *name; /* what follows it */
};

static void answer_on_device(struct request *request, int error, const void *data, size_t size)
{
	struct fuse_out_header header = { .len = sizeof header + size, .error = -error, .unique = request->header->unique };
	struct iovec parts[] = { { &header, sizeof header }, { (void *)data, size } };
	if (writev(device, parts, size ? 2 : 1) < 0 && errno != ENOENT) perror("limit: answer"), exit(1);
}

/* How the calling thread answers: with `size` bytes of data, or an errno. */
static _Thread_local void (*answer)(struct request *request, int error, const void *data, size_t size) = answer_on_device;

/* A node: its kind, folder and number. The root is 1, as FUSE has it. */

static uint64_t node_of(enum kind kind, unsigned folder, unsigned number)
{
	return ((uint64_t)kind << 40 | (uint64_t)folder << 32 | number) + 1;
}

static enum kind kind_of(uint64_t node) { return (node - 1) >> 40; }
static unsigned folder_of(uint64_t node) { return (node - 1) >> 32 & 0xff; }
static unsigned number_of(uint64_t node) { return (uint32_t)(node - 1); }
static char *is_there(uint64_t node) { return &there[kind_of(node)][folder_of(node)][number_of(node)]; }

/* The node of a name, 0 for a name that client.c has no file by. */
static uint64_t find(uint64_t parent, const char *name)
{
	size_t letters = strcspn(name, "0123456789");
	unsigned long number = strtoul(name + letters, NULL, 10);
	if (number >= NUMBERS) return 0;
	if (kind_of(parent) == ROOT) return letters || number >= FOLDERS ? 0 : node_of(FOLDER, number, 0);
	if (kind_of(parent) == LIST) return letters ? 0 : node_of(LISTED, folder_of(parent), number);
	for (int kind = FILE_; kind < KINDS; kind++)
		if (LETTERS[kind] && strlen(LETTERS[kind]) == letters && !strncmp(LETTERS[kind], name, letters))
			return node_of(kind, folder_of(parent), number);
	return 0;
}

static struct fuse_attr attributes(uint64_t node)
{
	enum kind kind = kind_of(node);
	int is_folder = kind == ROOT || kind == FOLDER || kind == LIST;
	return (struct fuse_attr){
		.ino = node,
		.mode = is_folder ? S_IFDIR | 0755 : kind == LINK ? S_IFLNK | 0777 : S_IFREG | 0644,
		.nlink = is_folder ? 2 : 1,
		.size = kind == FILE_ || kind == MOVED ? TINY : kind == LARGE_KIND ? LARGE_FILE : 0,
		.uid = uid,
		.gid = gid,
		.blksize = 4096,
	};
}

static struct fuse_entry_out entry(uint64_t node)
{
	return (struct fuse_entry_out){ .nodeid = node, .entry_valid = cached, .attr_valid = cached, .attr = attributes(node) };
}

static void answer_entry(struct request *request, uint64_t node)
{
	struct fuse_entry_out found = entry(node);
	answer(request, 0, &found, sizeof found);
}

static void initialize(struct request *request)
{
	const struct fuse_init_in *in = request->in;
	uint32_t wanted = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_PARALLEL_DIROPS | FUSE_ATOMIC_O_TRUNC |
		FUSE_INIT_EXT;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.flags = in->flags & (wanted | (cached ? FUSE_DO_READDIRPLUS : 0)),
		.flags2 = in->flags2 & more_features,
		.max_write = LARGE,
		.max_pages = LARGE / 4096,
		.time_gran = 1,
	};
	answer(request, 0, &out, sizeof out);
}

/* All of a listing that fits, from an offset on; only `list` has entries. */
static void list(struct request *request, int plus)
{
	static _Thread_local char listing[LARGE] __attribute__((aligned(8)));
	const struct fuse_read_in *in = request->in;
	uint64_t node = request->header->nodeid;
	size_t used = 0, head = plus ? sizeof(struct fuse_entry_out) : 0;
	for (uint64_t at = in->offset; kind_of(node) == LIST && at < NUMBERS; at++) {
		uint64_t listed = node_of(LISTED, folder_of(node), at);
		struct fuse_entry_out found = entry(listed);
		struct fuse_dirent *dirent = (struct fuse_dirent *)(listing + used + head);
		char name[16];
		int length = snprintf(name, sizeof name, "%u", (unsigned)at);
		size_t size = head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length);
		if (!*is_there(listed) || used + size > in->size || used + size > sizeof listing) break;
		if (plus) memcpy(listing + used, &found, sizeof found);
		*dirent = (struct fuse_dirent){ .ino = listed, .off = at + 1, .namelen = length, .type = S_IFREG >> 12 };
		memcpy(dirent->name, name, length);
		used += size;
	}
	answer(request, 0, listing, used);
}

static void read_zeros(struct request *request)
{
	const struct fuse_read_in *in = request->in;
	uint64_t size = attributes(request->header->nodeid).size, left = in->offset < size ? size - in->offset : 0;
	size_t wanted = in->size < LARGE ? in->size : LARGE;
	answer(request, 0, zeros, wanted < left ? wanted : left);
}

static void make(struct request *request, uint64_t node, int and_open, const struct fuse_open_out *opened)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} made = { node ? entry(node) : (struct fuse_entry_out){ 0 }, *opened };
	if (!node) return answer(request, EINVAL, NULL, 0);
	*is_there(node) = 1;
	answer(request, 0, &made, and_open ? sizeof made : sizeof made.entry);
}

static void rename_node(struct request *request, uint64_t folder)
{
	uint64_t from = find(request->header->nodeid, request->name), to = find(folder, request->name + strlen(request->name) + 1);
	if (!from || !to) return answer(request, EINVAL, NULL, 0);
	*is_there(from) = 0;
	*is_there(to) = 1;
	answer(request, 0, NULL, 0);
}

static void serve(struct request *request)
{
	uint64_t node = request->header->nodeid, named;
	struct fuse_open_out opened = { .open_flags = cached ? FOPEN_KEEP_CACHE : FOPEN_DIRECT_IO };
	struct fuse_attr_out known = { .attr_valid = cached, .attr = attributes(node) };
	switch (request->header->opcode) {
	case FUSE_INIT: return initialize(request);
	case FUSE_LOOKUP:
		named = find(node, request->name);
		return named && *is_there(named) ? answer_entry(request, named) : answer(request, ENOENT, NULL, 0);
	case FUSE_GETATTR:
	case FUSE_SETATTR: return answer(request, 0, &known, sizeof known);
	case FUSE_MKDIR:
	case FUSE_SYMLINK: return make(request, find(node, request->name), 0, &opened);
	case FUSE_CREATE: return make(request, find(node, request->name), 1, &opened);
	case FUSE_RENAME2: return rename_node(request, ((const struct fuse_rename2_in *)request->in)->newdir);
	case FUSE_RENAME: return rename_node(request, ((const struct fuse_rename_in *)request->in)->newdir);
	case FUSE_UNLINK:
		if ((named = find(node, request->name))) *is_there(named) = 0;
		return answer(request, named ? 0 : ENOENT, NULL, 0);
	case FUSE_OPEN: return answer(request, 0, &opened, sizeof opened);
	case FUSE_OPENDIR: opened.open_flags = 0; return answer(request, 0, &opened, sizeof opened);
	case FUSE_READDIR: return list(request, 0);
	case FUSE_READDIRPLUS: return list(request, 1);
	case FUSE_READ: return read_zeros(request);
	case FUSE_WRITE: {
		struct fuse_write_out written = { .size = ((const struct fuse_write_in *)request->in)->size };
		return answer(request, 0, &written, sizeof written);
	}
	case FUSE_FSYNC:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR: return answer(request, 0, NULL, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT: return;
	default: return answer(request, ENOSYS, NULL, 0);
	}
}

/* How long the operation's own struct is, where a name follows it. */
static size_t own_size(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_MKDIR: return sizeof(struct fuse_mkdir_in);
	case FUSE_CREATE: return sizeof(struct fuse_create_in);
	case FUSE_RENAME: return sizeof(struct fuse_rename_in);
	case FUSE_RENAME2: return sizeof(struct fuse_rename2_in);
	default: return 0;
	}
}

/* Serves the device's next request; 0 when the mount has ended. */
static int serve_device(void)
{
	static char message[LARGE + 4096] __attribute__((aligned(8)));
	const struct fuse_in_header *header = (void *)message;
	const char *in = message + sizeof *header;
	ssize_t size = read(device, message, sizeof message);
	if (size < 0 && errno == ENODEV) return 0;
	if (size < 0 && errno != EINTR && errno != ENOENT && errno != EAGAIN) perror("limit: cannot read"), exit(1);
	if (size > 0) serve(&(struct request){ header, in, in + own_size(header->opcode) });
	return 1;
}

/* Opens the device and mounts it on the first argument; the second is `on` where the kernel may cache. */
static void mount_as_told(int argc, char **argv)
{
	char options[128];
	if (argc != 3) fprintf(stderr, "usage: %s MOUNTPOINT off|default|best\n", argv[0]), exit(2);
	cached = strcmp(argv[2], "off");
	uid = getuid();
	gid = getgid();
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device < 0) perror("limit: cannot open /dev/fuse"), exit(1);
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions", device, uid, gid);
	if (mount("limit", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) < 0) perror("limit: cannot mount"), exit(1);
}
