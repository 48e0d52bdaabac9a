/** Operations on names. Those of places are the tree's and stay as they are; all others belong to the parent's branch. */
import type { Entry } from "../../fs/attributes.ts";
import { Elsewhere, type ErrnoName, FsError } from "../../fs/errors.ts";
import type { Awaitable, FileSystem, Name, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { ROOT_NODE } from "../../fs/filesystem.ts";
import { after } from "../support/awaitable.ts";
import type { Tree } from "./tree.ts";

/** `placeErrno`: what changing the name of a place is refused with. */
export function nameOperations(tree: Tree, placeErrno: ErrnoName) {
  /** A place cannot be made over: it is there. */
  function refuseMaking(parent: NodeId, name: Name): void {
    const place = tree.placeAt(parent, name);
    if (place !== undefined) throw new FsError("EEXIST", `Cannot make "${place.path}": it leads to a branch`);
  }

  function refuseChanging(parent: NodeId, name: Name): void {
    const place = tree.placeAt(parent, name);
    if (place !== undefined) throw new FsError(placeErrno, `Cannot change "${place.path}": it leads to a branch`);
  }

  /** "." and "..", which are asked for by those who hold file handles (feature `export-support`). */
  function lookupDots(parent: NodeId, name: Name, context: RequestContext): Awaitable<Entry | undefined> {
    const place = tree.placeOf(parent);
    if (place !== undefined) return tree.enter(name === "." ? place : place.parent ?? place, context);
    const branch = tree.route(parent, context);
    return after(branch.pass(branch.methods.lookup(tree.inner, name, context)), (found) => {
      const node = found && tree.outerNode(branch, found.node);
      const above = node === undefined ? undefined : tree.placeOf(node);
      if (found === undefined || above === undefined) return branch.found(found);
      branch.discard(found);
      return tree.enter(above, context);
    });
  }

  return {
    lookup(parent, name, context) {
      if (name === "." || name === "..") return lookupDots(parent, name, context);
      const place = tree.placeAt(parent, name);
      if (place !== undefined) return tree.enter(place, context);
      const branch = tree.route(parent, context);
      return branch.found(branch.methods.lookup(tree.inner, name, context));
    },

    forgetLookups(node, count) {
      tree.forget(node, count);
    },

    readLink(node, context) {
      const branch = tree.route(node, context);
      return branch.pass(branch.methods.readLink(tree.inner, context));
    },

    makeNode(parent, name, mode, device, context) {
      refuseMaking(parent, name);
      const branch = tree.route(parent, context);
      return branch.entry(branch.methods.makeNode(tree.inner, name, mode, device, context));
    },

    makeDirectory(parent, name, mode, context) {
      refuseMaking(parent, name);
      const branch = tree.route(parent, context);
      return branch.entry(branch.methods.makeDirectory(tree.inner, name, mode, context));
    },

    makeSymbolicLink(parent, name, target, context) {
      refuseMaking(parent, name);
      const branch = tree.route(parent, context);
      return branch.entry(branch.methods.makeSymbolicLink(tree.inner, name, target, context));
    },

    create(parent, name, mode, flags, context) {
      refuseMaking(parent, name);
      const branch = tree.route(parent, context);
      return branch.created(branch.methods.create(tree.inner, name, mode, flags, context));
    },

    makeTemporaryFile(parent, mode, flags, context) {
      const branch = tree.route(parent, context);
      return branch.created(branch.methods.makeTemporaryFile(tree.inner, mode, flags, context));
    },

    link(node, newParent, newName, context) {
      refuseMaking(newParent, newName);
      const owner = tree.route(node, context);
      const { inner } = tree;
      const branch = tree.route(newParent, context);
      if (branch !== owner) throw new FsError("EXDEV", `Cannot link "${newName}": the file is in another branch`);
      return branch.entry(branch.methods.link(inner, tree.inner, newName, context));
    },

    unlink(parent, name, context) {
      refuseChanging(parent, name);
      const branch = tree.route(parent, context);
      return branch.pass(branch.methods.unlink(tree.inner, name, context));
    },

    removeDirectory(parent, name, context) {
      refuseChanging(parent, name);
      const branch = tree.route(parent, context);
      return branch.pass(branch.methods.removeDirectory(tree.inner, name, context));
    },

    rename(parent, name, newParent, newName, flags, context) {
      refuseChanging(parent, name);
      refuseChanging(newParent, newName);
      const branch = tree.route(parent, context);
      const { inner } = tree;
      if (tree.route(newParent, context) !== branch) {
        throw new FsError("EXDEV", `Cannot rename "${name}" to "${newName}": that is in another branch`);
      }
      return branch.pass(branch.methods.rename(inner, name, tree.inner, newName, flags, context));
    },

    copyFileRange(from, to, length, flags, context) {
      const branch = tree.route(from.node, context);
      const source = { ...from, node: tree.inner };
      if (tree.route(to.node, context) !== branch) throw new FsError("EXDEV", "Cannot copy a range to another branch");
      const target = { ...to, node: tree.inner };
      return branch.pass(branch.methods.copyFileRange(source, target, length, flags, context));
    },

    /**
     * The kernel names the root and means the whole mount. A branch elsewhere is left out: one answer cannot come from
     * several isolates, and Linux asks virtiofs alone (fuse_sync_fs in fs/fuse/inode.c).
     */
    synchronizeFileSystem(_node, context): Awaitable<void> {
      const answers = tree.branches.map((branch) => {
        try {
          return branch.pass(branch.methods.synchronizeFileSystem(ROOT_NODE, context));
        } catch (error) {
          if (!(error instanceof Elsewhere)) throw error;
        }
      });
      if (answers.some((answer) => answer instanceof Promise)) return Promise.all(answers).then(() => {});
    },
  } satisfies FileSystem;
}
