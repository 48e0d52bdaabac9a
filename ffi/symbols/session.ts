// deno-lint-ignore-file camelcase -- the names are libfuse's own.
/** What Trellis takes of fuse_lowlevel.h and fuse_common.h: to mount, to unmount, and to say which libfuse this is. */
export const SESSION = {
  /** int fuse_version(void): 314 for 3.14 */
  fuse_version: { parameters: [], result: "i32" },
  /** const char *fuse_pkgversion(void): "3.14.0" */
  fuse_pkgversion: { parameters: [], result: "pointer" },
  /**
   * struct fuse_session *fuse_session_new(struct fuse_args *args, const struct fuse_lowlevel_ops *op, size_t op_size,
   * void *userdata). From 3.17 it is kept for older callers (lib/compat.c) and takes the same arguments.
   */
  fuse_session_new: { parameters: ["buffer", "buffer", "usize", "pointer"], result: "pointer" },
  /** int fuse_session_mount(struct fuse_session *se, const char *mountpoint) */
  fuse_session_mount: { parameters: ["pointer", "buffer"], result: "i32" },
  /** int fuse_session_fd(const struct fuse_session *se) */
  fuse_session_fd: { parameters: ["pointer"], result: "i32" },
  /** void fuse_session_unmount(struct fuse_session *se); nonblocking: it may wait for a server in this very isolate */
  fuse_session_unmount: { parameters: ["pointer"], result: "void", nonblocking: true },
  /** void fuse_session_destroy(struct fuse_session *se) */
  fuse_session_destroy: { parameters: ["pointer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;
