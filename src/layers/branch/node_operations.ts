/** Operations on one file: each goes to the file's branch, with the branch's own id, and its answer comes back. */
import type { FileSystem } from "../../fs/filesystem.ts";
import type { Tree } from "./tree.ts";

export function nodeOperations(tree: Tree) {
  const isPlace = (node: number) => tree.placeOf(node) !== undefined;

  return {
    getAttributes(node, handle, context) {
      const branch = tree.route(node, context);
      return branch.attributes(branch.methods.getAttributes(tree.inner, handle, context), node, isPlace(node));
    },

    setAttributes(node, changes, handle, context) {
      const branch = tree.route(node, context);
      return branch.attributes(branch.methods.setAttributes(tree.inner, changes, handle, context), node, isPlace(node));
    },

    getExtendedStatus(node, handle, context) {
      const branch = tree.route(node, context);
      return branch.status(branch.methods.getExtendedStatus(tree.inner, handle, context), node, isPlace(node));
    },

    access(node, mask, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.access(tree.inner, mask, context));
    },

    getStatistics(node, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.getStatistics(tree.inner, context));
    },

    open(node, flags, context) {
      const branch = tree.route(node, context);
      return branch.open(branch.methods.open(tree.inner, flags, context));
    },

    read(node, handle, offset, size, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.read(tree.inner, handle, offset, size, context));
    },

    write(node, handle, offset, data, details, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.write(tree.inner, handle, offset, data, details, context));
    },

    flush(node, handle, lockOwner, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.flush(tree.inner, handle, lockOwner, context));
    },

    release(node, handle, flags, context) {
      const branch = tree.route(node, context);
      return branch.released(branch.methods.release(tree.inner, handle, flags, context));
    },

    synchronize(node, handle, dataOnly, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.synchronize(tree.inner, handle, dataOnly, context));
    },

    allocate(node, handle, mode, offset, length, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.allocate(tree.inner, handle, mode, offset, length, context));
    },

    seek(node, handle, offset, whence, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.seek(tree.inner, handle, offset, whence, context));
    },

    mapBlock(node, blockSize, block, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.mapBlock(tree.inner, blockSize, block, context));
    },

    ioctl(node, handle, request, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.ioctl(tree.inner, handle, request, context));
    },

    poll(node, handle, events, wakeup, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.poll(tree.inner, handle, events, wakeup, context));
    },

    getLock(node, handle, owner, lock, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.getLock(tree.inner, handle, owner, lock, context));
    },

    setLock(node, handle, owner, lock, wait, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.setLock(tree.inner, handle, owner, lock, wait, context));
    },

    setWholeFileLock(node, handle, owner, type, wait, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.setWholeFileLock(tree.inner, handle, owner, type, wait, context));
    },

    setExtendedAttribute(node, name, value, flags, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.setExtendedAttribute(tree.inner, name, value, flags, context));
    },

    getExtendedAttribute(node, name, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.getExtendedAttribute(tree.inner, name, context));
    },

    listExtendedAttributes(node, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.listExtendedAttributes(tree.inner, context));
    },

    removeExtendedAttribute(node, name, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.removeExtendedAttribute(tree.inner, name, context));
    },
  } satisfies FileSystem;
}
