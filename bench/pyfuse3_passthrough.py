"""A peer: `pyfuse3_passthrough.py SOURCE MOUNTPOINT SECONDS` shows a directory over pyfuse3, which is found installed.

A node is its inode number; its path is the one that it was last looked up by. SECONDS is how long names and attributes
may be cached. Only what the benchmarks call is there.
"""
import os
import sys

import pyfuse3
import trio

SOURCE, MOUNTPOINT, SECONDS = sys.argv[1], sys.argv[2], float(sys.argv[3])
COPIED = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_rdev", "st_size", "st_atime_ns", "st_mtime_ns", "st_ctime_ns")


def refuse(error):
    raise pyfuse3.FUSEError(error.errno)


class Passthrough(pyfuse3.Operations):
    enable_writeback_cache = False

    def __init__(self):
        super().__init__()
        self.paths = {pyfuse3.ROOT_INODE: SOURCE}

    def path(self, parent, name):
        return os.path.join(self.paths[parent], os.fsdecode(name))

    def attributes(self, path=None, fd=None):
        try:
            found = os.lstat(path) if fd is None else os.fstat(fd)
        except OSError as error:
            refuse(error)
        entry = pyfuse3.EntryAttributes()
        for field in COPIED:
            setattr(entry, field, getattr(found, field))
        entry.st_ino = pyfuse3.ROOT_INODE if path == SOURCE else found.st_ino
        entry.st_blksize, entry.st_blocks = 4096, (found.st_size + 511) // 512
        entry.generation = 0
        entry.attr_timeout = entry.entry_timeout = SECONDS
        return entry

    def entry(self, path):
        entry = self.attributes(path)
        self.paths[entry.st_ino] = path
        return entry

    def make(self, call, parent, name):
        path = self.path(parent, name)
        try:
            call(path)
        except OSError as error:
            refuse(error)
        return self.entry(path)

    async def lookup(self, parent, name, ctx=None):
        return self.entry(self.path(parent, name))

    async def getattr(self, inode, ctx=None):
        return self.attributes(self.paths[inode])

    async def setattr(self, inode, attr, fields, fh, ctx):
        path = self.paths[inode]
        try:
            if fields.update_size:
                os.truncate(path, attr.st_size)
            if fields.update_mode:
                os.chmod(path, attr.st_mode & 0o7777)
            if fields.update_uid or fields.update_gid:
                uid = attr.st_uid if fields.update_uid else -1
                os.chown(path, uid, attr.st_gid if fields.update_gid else -1, follow_symlinks=False)
            if fields.update_atime or fields.update_mtime:
                now = os.lstat(path)
                atime = attr.st_atime_ns if fields.update_atime else now.st_atime_ns
                mtime = attr.st_mtime_ns if fields.update_mtime else now.st_mtime_ns
                os.utime(path, None, ns=(atime, mtime), follow_symlinks=False)
        except OSError as error:
            refuse(error)
        return self.attributes(path)

    async def readlink(self, inode, ctx):
        return os.fsencode(os.readlink(self.paths[inode]))

    async def opendir(self, inode, ctx):
        return inode

    async def readdir(self, inode, start, token):
        path = self.paths[inode]
        names = sorted((entry.inode(), entry.name) for entry in os.scandir(path))
        for number, name in names:
            if number <= start:
                continue
            entry = self.entry(os.path.join(path, name))
            if not pyfuse3.readdir_reply(token, os.fsencode(name), entry, number):
                break

    async def open(self, inode, flags, ctx):
        try:
            return pyfuse3.FileInfo(fh=os.open(self.paths[inode], flags & ~os.O_CREAT))
        except OSError as error:
            refuse(error)

    async def create(self, parent, name, mode, flags, ctx):
        path = self.path(parent, name)
        try:
            fd = os.open(path, flags | os.O_CREAT, mode)
        except OSError as error:
            refuse(error)
        return pyfuse3.FileInfo(fh=fd), self.entry(path)

    async def read(self, fh, offset, size):
        return os.pread(fh, size, offset)

    async def write(self, fh, offset, data):
        return os.pwrite(fh, data, offset)

    async def release(self, fh):
        os.close(fh)

    async def flush(self, fh):
        pass

    async def fsync(self, fh, datasync):
        os.fsync(fh)

    async def mkdir(self, parent, name, mode, ctx):
        return self.make(lambda path: os.mkdir(path, mode), parent, name)

    async def symlink(self, parent, name, target, ctx):
        return self.make(lambda path: os.symlink(os.fsdecode(target), path), parent, name)

    async def link(self, inode, parent, name, ctx):
        return self.make(lambda path: os.link(self.paths[inode], path), parent, name)

    async def unlink(self, parent, name, ctx):
        try:
            os.unlink(self.path(parent, name))
        except OSError as error:
            refuse(error)

    async def rmdir(self, parent, name, ctx):
        try:
            os.rmdir(self.path(parent, name))
        except OSError as error:
            refuse(error)

    async def rename(self, old_parent, old_name, new_parent, new_name, flags, ctx):
        path = self.path(new_parent, new_name)
        try:
            os.rename(self.path(old_parent, old_name), path)
        except OSError as error:
            refuse(error)
        self.entry(path)


options = set(pyfuse3.default_options)
options.update(("fsname=pyfuse3", "default_permissions"))
pyfuse3.init(Passthrough(), MOUNTPOINT, options)
try:
    trio.run(pyfuse3.main)
finally:
    pyfuse3.close(unmount=False)
