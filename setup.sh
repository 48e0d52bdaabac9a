#!/bin/sh
# Gets a machine ready for Trellis: the system's libfuse3, Deno, and the dependencies of the code. Safe to run again:
# it looks at what is there and does only what is missing.
#
#   sh setup.sh            what mounting needs
#   sh setup.sh --dev      also what the tests and benchmarks use
#   sh setup.sh --install  also `trellis` for all users, and `mount -t fuse.trellis` (docs/systemd.md)
set -eu

DENO_VERSION=2.9.6 # what is installed when Deno is missing
DENO_OLDEST=2.9    # what is accepted when it is there

say() { echo "setup: $*"; }
fail() {
  echo "setup: $*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

can_be_root() { [ "$(id -u)" -eq 0 ] || have sudo; }

# Runs a command as root.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    fail "this needs root, and there is no sudo; as root run: $*; then run this again"
  fi
}

find_package_manager() {
  for manager in apt-get dnf pacman apk zypper; do
    if have "$manager"; then
      echo "$manager"
      return
    fi
  done
}

# The command that installs the packages named after it.
install_command() {
  case $manager in
    apt-get) echo "env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends" ;;
    dnf) echo "dnf install -y" ;;
    pacman) echo "pacman -S --needed --noconfirm" ;;
    apk) echo "apk add --update-cache" ;;
    zypper) echo "zypper --non-interactive install" ;;
  esac
}

# Fetches the lists of packages where the installation does not do so itself; a fresh machine has none.
refresh_lists() {
  [ -z "${refreshed:-}" ] || return 0
  refreshed=yes
  case $manager in
    apt-get) as_root apt-get update -q || say "warning: apt-get update failed; going on with the lists there are" ;;
    pacman)
      # Only where there are none: fresh lists on an old system ask for newer libraries than it has.
      ls /var/lib/pacman/sync/*.db >/dev/null 2>&1 || as_root pacman -Sy
      ;;
  esac
}

install_packages() {
  [ -n "$manager" ] ||
    fail "no package manager known here (apt-get, dnf, pacman, apk, zypper); install by hand, then run this again: $*"
  say "installing with $manager: $*"
  can_be_root ||
    fail "installing needs root, and there is no sudo; as root run: $(install_command) $*; then run this again"
  refresh_lists
  # shellcheck disable=SC2046 # one word an argument
  as_root $(install_command) "$@" || fail "$manager could not install: $*; its own message is above"
}

libfuse_file() {
  { ldconfig -p 2>/dev/null | sed -n 's/.*=> //p' | grep 'libfuse3\.so\.[34]$' ||
    ls /usr/lib/libfuse3.so.[34] /lib/libfuse3.so.[34] /usr/local/lib/libfuse3.so.[34] 2>/dev/null; } | head -n 1
}

setup_fuse() {
  if [ -z "$(libfuse_file)" ] || ! have fusermount3; then
    case $manager in
      dnf | apk) install_packages fuse3 fuse3-libs ;;
      *) install_packages fuse3 ;;
    esac
  fi
  [ -n "$(libfuse_file)" ] || fail "libfuse3.so.4 or libfuse3.so.3 is still not found after installing fuse3"
  have fusermount3 || fail "fusermount3 is still not found after installing fuse3"
  # fusermount3 looks there for what an ordinary user may unmount; only the barest installations lack it.
  if [ ! -e /etc/mtab ]; then
    say "there is no /etc/mtab, which fusermount3 reads; linking it to /proc/self/mounts"
    as_root ln -s ../proc/self/mounts /etc/mtab
  fi
}

# What `cli.ts run` starts programs with. The package has this name everywhere.
setup_bubblewrap() {
  have bwrap || install_packages bubblewrap
}

# The packages with what tests and benchmarks call: a C compiler, libfuse's headers, and programs to run on a mount.
development_packages() {
  common="gcc make git rsync python3 attr acl"
  case $manager in
    apt-get) echo "$common libc6-dev pkg-config libfuse3-dev sqlite3 util-linux procps" ;;
    dnf) echo "$common glibc-devel pkgconf-pkg-config fuse3-devel sqlite util-linux procps-ng" ;;
    pacman) echo "gcc make git rsync python attr acl pkgconf fuse3 sqlite util-linux procps-ng" ;;
    apk) echo "$common musl-dev linux-headers pkgconf fuse3-dev sqlite util-linux procps tar" ;;
    zypper) echo "$common glibc-devel pkg-config fuse3-devel sqlite3 util-linux procps" ;;
    *) echo "$common libfuse3-headers sqlite3 util-linux procps" ;;
  esac
}

missing_for_development() {
  for program in gcc make git rsync python3 getfattr setfacl pkg-config sqlite3 setpriv ps; do
    have "$program" || echo "$program"
  done
  for header in stdio.h linux/fuse.h; do
    [ -e "/usr/include/$header" ] || echo "$header"
  done
  pkg-config --exists fuse3 2>/dev/null || echo "fuse3/fuse_lowlevel.h"
}

setup_development() {
  missing=$(missing_for_development | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  say "missing for development: $missing"
  # shellcheck disable=SC2046 # one word a package
  install_packages $(development_packages)
  missing=$(missing_for_development | tr '\n' ' ')
  [ -z "$missing" ] || fail "still missing after the installation: $missing"
}

deno_version() { deno --version 2>/dev/null | sed -n 's/^deno \([0-9.]*\).*/\1/p'; }

deno_by_hand() {
  fail "$* Install Deno $DENO_OLDEST or newer by hand (https://docs.deno.com/runtime/getting_started/installation/," \
    "in short: curl -fsSL https://deno.land/install.sh | sh), see that 'deno --version' works, and run this again."
}

install_npm() {
  case $manager in
    apt-get | dnf) install_packages npm ;;
    zypper) install_packages npm-default ;;
    *) deno_by_hand "Deno is missing, and so is npm, which could install it." ;;
  esac
}

# As root, unless npm installs into a folder of the user's own.
npm_install_global() {
  as=as_root
  [ ! -w "$(npm prefix --global)/lib" ] || as=
  [ -z "$as" ] || can_be_root ||
    deno_by_hand "npm installs into $(npm prefix --global), which needs root, and there is no sudo."
  $as npm install --global --no-fund --no-audit "$@"
}

# The npm package carries the binary. npm may refuse to run its install script; then its launcher starts the binary.
# It has none for Alpine's C library, where as on Arch the system's own package is the better one.
install_deno() {
  case $manager in
    pacman | apk)
      install_packages deno
      return
      ;;
  esac
  have npm || install_npm
  say "installing Deno $DENO_VERSION with npm"
  npm_install_global "deno@$DENO_VERSION" || deno_by_hand "npm could not install Deno; its own message is above."
}

setup_deno() {
  if ! have deno; then
    for folder in "${DENO_INSTALL:-$HOME/.deno}/bin" "$HOME/.local/bin"; do
      [ ! -x "$folder/deno" ] || fail "Deno is at $folder/deno but not on the PATH; run: export PATH=\"$folder:\$PATH\""
    done
    install_deno
    hash -r
    have deno || fail "Deno is installed, but not on the PATH; run: export PATH=\"$(npm prefix --global)/bin:\$PATH\""
  fi
  version=$(deno_version)
  [ -n "$version" ] || deno_by_hand "$(command -v deno) does not run."
  oldest=$(printf '%s\n%s\n' "$DENO_OLDEST" "$version" | sort -V | head -n 1)
  [ "$oldest" = "$DENO_OLDEST" ] ||
    fail "Deno $version at $(command -v deno) is too old: Trellis needs $DENO_OLDEST or newer. Renew it as it was installed" \
      "(npm install --global deno@$DENO_VERSION, deno upgrade, or the package manager), then run this again."
}

# All that Deno does not find by itself: commands, what reads configurations, and workers are named when they are needed.
code_entries() {
  for entry in mod.ts cli.ts src/cli/*.ts src/config/mod.ts src/workers/*.ts; do
    [ ! -e "$entry" ] || echo "$entry"
  done
}

# Does nothing when all is cached, and needs no network then.
fetch_dependencies() {
  entries=$(code_entries)
  [ -n "$entries" ] || fail "there is no code here; run this from the repository: sh setup.sh"
  [ -z "$development" ] || entries="$entries tests/deps.ts"
  # shellcheck disable=SC2086 # one word a file
  deno cache --quiet $entries || fail "fetching the dependencies failed; Deno's own message is above. Is the network there?"
}

# A program that is readable by all: its text is standard input.
write_program() {
  as_root tee "$1" >/dev/null
  as_root chmod 755 "$1"
}

# Who runs these at boot has neither PATH nor HOME nor network: all is named, and fetched here. Deno's dependencies are
# a store of their own, since ordinary users may not look into root's.
install_programs() {
  program=$(deno eval 'console.log(Deno.execPath())')
  store=/usr/local/lib/trellis
  case $program$PWD in
    *[\'\"\\\$\`]*) fail "cannot install from $PWD with Deno at $program: their names have characters that are the shell's" ;;
  esac
  # shellcheck disable=SC2046 # one word a file
  as_root env DENO_DIR="$store" "$program" cache --quiet --no-lock $(code_entries) ||
    fail "fetching the dependencies for all users failed; is the network there?"
  as_root chmod -R a+rX "$store"
  write_program /usr/local/bin/trellis <<END
#!/bin/sh
# Written by setup.sh --install.
export PATH="\${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}" DENO_DIR="$store"
exec "$program" run --quiet --allow-all --cached-only --no-lock "$PWD/cli.ts" "\$@"
END
  write_program /sbin/mount.fuse.trellis <<END
#!/bin/sh
# Written by setup.sh --install: what mount(8) runs for the type fuse.trellis.
exec /usr/local/bin/trellis system-mount "\$@"
END
  say "installed /usr/local/bin/trellis and /sbin/mount.fuse.trellis, which use the code here: $PWD"
}

# Opening /dev/fuse is what mounting begins with. Most systems give it mode 666; some containers leave it at 600.
check_device() {
  if [ ! -e /dev/fuse ]; then
    say "warning: there is no /dev/fuse, so nothing can be mounted. Load the module (as root: modprobe fuse), or" \
      "give the container the device (docker run --device /dev/fuse --cap-add SYS_ADMIN)."
    return
  fi
  case $(stat -c %a /dev/fuse) in
    *6 | *7) return ;;
  esac
  if [ -n "$development" ]; then
    say "/dev/fuse has mode $(stat -c %a /dev/fuse); the tests mount as an ordinary user too, so: chmod 666 /dev/fuse"
    as_root chmod 666 /dev/fuse
  else
    say "note: /dev/fuse has mode $(stat -c %a /dev/fuse), so only root can mount. For everybody, as root:" \
      "chmod 666 /dev/fuse (lasting: a udev rule, KERNEL==\"fuse\", MODE=\"0666\")"
  fi
}

development=
installing=
for argument; do
  case $argument in
    --dev) development=yes ;;
    --install) installing=yes ;;
    *) fail "unknown argument '$argument'; usage: sh setup.sh [--dev] [--install]" ;;
  esac
done
[ "$(uname -s)" = Linux ] || fail "Trellis needs Linux; this is $(uname -s)"
cd "$(dirname "$0")"
have ldconfig || PATH="$PATH:/usr/sbin:/sbin" # which an ordinary user's PATH may lack
manager=$(find_package_manager)

setup_fuse
setup_bubblewrap
[ -z "$development" ] || setup_development
setup_deno
fetch_dependencies
[ -z "$installing" ] || install_programs
check_device
say "ready: Deno $(deno_version), $(fusermount3 --version | sed 's/^fusermount3 version:/libfuse/')" \
  "($(libfuse_file)), Linux $(uname -r)"
