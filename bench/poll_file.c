/*
 * What bench/poll_file.ts is, in C over libfuse: one file that gives back what was written to it and can be waited for.
 * It wakes in the middle of the write, as libfuse's own poll.c does from its thread.
 */
#define FUSE_USE_VERSION 34
#include <errno.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_NODE = 2, FILES = 16 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int ready, opened;
static struct fuse_pollhandle *waiting[FILES];

static struct stat attributes(fuse_ino_t node)
{
	return (struct stat){ .st_ino = node, .st_nlink = 1, .st_mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0666 };
}

static void file_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = FILE_NODE, .attr = attributes(FILE_NODE), .attr_timeout = 1, .entry_timeout = 1 };
	if (parent != 1 || strcmp(name, "file")) fuse_reply_err(request, ENOENT);
	else fuse_reply_entry(request, &entry);
}

static void file_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
	struct stat status = attributes(node);
	(void)info;
	fuse_reply_attr(request, &status, 1);
}

static void file_open(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
	(void)node;
	info->direct_io = info->nonseekable = 1;
	info->fh = opened++ % FILES;
	fuse_reply_open(request, info);
}

static void file_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, struct fuse_file_info *info)
{
	char data[16] = "";
	(void)node, (void)offset, (void)info;
	pthread_mutex_lock(&mutex);
	size_t length = (size_t)ready < size ? (size_t)ready : size;
	if (length > sizeof data) length = sizeof data;
	ready -= length;
	pthread_mutex_unlock(&mutex);
	fuse_reply_buf(request, data, length);
}

static void file_write(fuse_req_t request, fuse_ino_t node, const char *data, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	struct fuse_pollhandle *handles[FILES];
	(void)node, (void)data, (void)offset, (void)info;
	pthread_mutex_lock(&mutex);
	ready += size;
	memcpy(handles, waiting, sizeof handles);
	memset(waiting, 0, sizeof waiting);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < FILES; i++) {
		if (!handles[i]) continue;
		fuse_lowlevel_notify_poll(handles[i]);
		fuse_pollhandle_destroy(handles[i]);
	}
	fuse_reply_write(request, size);
}

static void file_poll(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info, struct fuse_pollhandle *handle)
{
	(void)node;
	pthread_mutex_lock(&mutex);
	if (handle) {
		if (waiting[info->fh]) fuse_pollhandle_destroy(waiting[info->fh]);
		waiting[info->fh] = handle;
	}
	unsigned events = ready > 0 ? POLLIN : 0;
	pthread_mutex_unlock(&mutex);
	fuse_reply_poll(request, events);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = file_lookup,
	.getattr = file_getattr,
	.open = file_open,
	.read = file_read,
	.write = file_write,
	.poll = file_poll,
};

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts options;
	if (fuse_parse_cmdline(&args, &options) != 0) return 2;
	struct fuse_session *session = fuse_session_new(&args, &operations, sizeof operations, NULL);
	if (!session || fuse_session_mount(session, options.mountpoint) != 0) return 1;
	struct fuse_loop_config config = { .clone_fd = 0, .max_idle_threads = 10 };
	int result = fuse_session_loop_mt(session, &config);
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	return result ? 1 : 0;
}
