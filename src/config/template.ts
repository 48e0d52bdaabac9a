/** The configuration that `init` writes: complete, with what is optional behind a `#`. Prose has a space after its `#`. */

/** The file's usual name. */
export const CONFIG_NAME = "trellis.toml";

/** Its text. */
export const TEMPLATE = `# A tree for Trellis: filesystems ("branches") grafted at the paths of one mountpoint.
#
#   check     what is wrong with this file, or the tree as it will be
#   explain   where a path comes from, and who decided its options
#
# Paths of the host start at this file's folder; ~ and \${VAR} expand. Sizes have units (512, 64K, 100M, 2G), durations
# too (500ms, 1s, 5m). docs/configuration.md has all keys.

[mount]
# Where to mount: outside of what is shown.
point = "~/trellis"
# Refuse every change, in all branches.
#read_only = true
# Let other users in (an ordinary user needs user_allow_other in /etc/fuse.conf).
#allow_other = true
# Further options of mount.fuse3(8).
#options = ["noatime"]

# The root: a filesystem in memory, which is gone at the end.
[[branch]]
path = "/"
type = "memory"
size = "64M"

# A directory of the host, as it is.
#[[branch]]
#path = "/src"
#type = "passthrough"
#source = "./src"
#read_only = true
#hidden = [".git", "*.o"]

# Several directories at one path: the first that has a file wins, and changes go to those with :rw.
#[[branch]]
#path = "/build"
#type = "union"
#sources = ["./build:rw", "/usr/share:ro"]

# What \`run\` starts, with the tree as its root.
#[run]
#command = ["bash"]
#env = { EDITOR = "vi" }
#network = false
#ro_bind = ["/usr", "/bin", "/lib", "/lib64", "/etc"]
#shared_memory = [{ name = "frames", size = "64M" }]
`;
