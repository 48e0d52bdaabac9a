// A peer: `fuse_native_passthrough.cjs SOURCE MOUNTPOINT SECONDS` shows a directory over npm's @cocalc/fuse-native, which
// is found by NODE_PATH. Its methods are node:fs's own; SECONDS is how long names and attributes may be cached.
const fs = require("node:fs");
const Fuse = require("@cocalc/fuse-native");

const [source, mountpoint, seconds] = process.argv.slice(2);
const on = (path) => source + path;

/** Calls back as fuse-native wants it: a negative errno, or 0 and what was found. */
const answer = (callback) => (error, value) => error ? callback(error.errno) : callback(0, value);
/** The same, where the number is the answer itself: bytes read or written. */
const count = (callback) => (error, bytes) => callback(error ? error.errno : bytes);

const operations = {
  getattr: (path, callback) => fs.lstat(on(path), answer(callback)),
  fgetattr: (_path, fd, callback) => fs.fstat(fd, answer(callback)),
  access: (path, mode, callback) => fs.access(on(path), mode, answer(callback)),
  readdir: (path, callback) => fs.readdir(on(path), answer(callback)),
  readlink: (path, callback) => fs.readlink(on(path), answer(callback)),
  open: (path, flags, callback) => fs.open(on(path), flags, answer(callback)),
  create: (path, mode, callback) => fs.open(on(path), "wx+", mode, answer(callback)),
  read: (_path, fd, buffer, length, position, callback) => fs.read(fd, buffer, 0, length, position, count(callback)),
  write: (_path, fd, buffer, length, position, callback) => fs.write(fd, buffer, 0, length, position, count(callback)),
  release: (_path, fd, callback) => fs.close(fd, answer(callback)),
  fsync: (_path, _datasync, fd, callback) => fs.fsync(fd, answer(callback)),
  truncate: (path, size, callback) => fs.truncate(on(path), size, answer(callback)),
  ftruncate: (_path, fd, size, callback) => fs.ftruncate(fd, size, answer(callback)),
  chmod: (path, mode, callback) => fs.chmod(on(path), mode, answer(callback)),
  chown: (path, uid, gid, callback) => fs.lchown(on(path), uid, gid, answer(callback)),
  utimens: (path, atime, mtime, callback) => fs.lutimes(on(path), new Date(atime), new Date(mtime), answer(callback)),
  mkdir: (path, mode, callback) => fs.mkdir(on(path), { mode }, answer(callback)),
  rmdir: (path, callback) => fs.rmdir(on(path), answer(callback)),
  unlink: (path, callback) => fs.unlink(on(path), answer(callback)),
  rename: (from, to, callback) => fs.rename(on(from), on(to), answer(callback)),
  link: (from, to, callback) => fs.link(on(from), on(to), answer(callback)),
  symlink: (target, path, callback) => fs.symlink(target, on(path), answer(callback)),
};

// The package leaves out what is 0: a number that is no zero but as good as one.
const timeout = seconds === "0" ? "0.0" : seconds;
const fuse = new Fuse(mountpoint, operations, {
  defaultPermissions: true,
  attrTimeout: timeout,
  entryTimeout: timeout,
  autoCache: seconds !== "0",
});
fuse.mount((error) => {
  if (error) throw error;
});
