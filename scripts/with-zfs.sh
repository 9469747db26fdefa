#!/usr/bin/env bash
# Runs a command with a throw-away ZFS pool, and leaves nothing behind, however the command ends. The pool's name is in DC_TEST_POOL.
#
#   with-zfs.sh COMMAND [ARGUMENT…]
#
# Everything happens in mount and process namespaces of its own, so that the kernel takes away what we could not. Where the kernel has no
# ZFS, a private zfs-fuse serves the namespace. DC_TEST_POOL_SIZE is the size of the pool in bytes (default 6 GiB, less where there is less).
set -euo pipefail

self=$(readlink -f "${BASH_SOURCE[0]}")

fail() {
  printf 'with-zfs: %s\n' "$1" >&2
  exit 69
}

if [ "${1:-}" != --inside ]; then
  [ "$(id -u)" = 0 ] || fail 'root is needed'
  [ $# -gt 0 ] || fail 'usage: with-zfs.sh COMMAND [ARGUMENT…]'
  exec unshare --mount --pid --fork --kill-child=KILL --mount-proc "$self" --inside "$PWD" "$@"
fi
shift
cd "$1"
shift

has_kernel_zfs() { [ -e /dev/zfs ] && zpool list > /dev/null 2>&1; }

work=$(mktemp -d /var/tmp/with-zfs.XXXXXX)
pool=dctest$$_${RANDOM}
daemon=

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  trap - EXIT INT TERM
  cd /
  zfs unmount -a > /dev/null 2>&1 || true
  if has_kernel_zfs; then
    zpool destroy -f "$pool" > /dev/null 2>&1 || true
  elif [ -n "$daemon" ]; then
    # The pool lives in a file that goes with us: there is nothing to save in it.
    kill -KILL "$daemon" 2> /dev/null || true
    wait "$daemon" 2> /dev/null || true
    awk '$3 == "fuse.zfs" {print $2}' /proc/self/mounts | tac | while read -r mount; do umount -l "$mount" || true; done
  fi
  awk -v below="$work/" 'index($2, below) == 1 {print $2}' /proc/self/mounts | tac | while read -r mount; do umount -l "$mount" || true; done
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_daemon() {
  command -v zfs-fuse > /dev/null || fail 'neither a ZFS kernel module nor zfs-fuse is here; scripts/setup.sh test installs one'
  [ -e /dev/fuse ] || fail 'zfs-fuse needs /dev/fuse, which this machine does not have'
  # Mounts of the machine's own daemon would be pinned by this namespace.
  awk '$3 == "fuse.zfs" {print $2}' /proc/self/mounts | tac | while read -r mount; do umount -l "$mount"; done
  mkdir -p "$work"/{run,lock,cache,etc} /run/zfs /run/lock/zfs /var/lib/zfs /etc/zfs
  mount --bind "$work/run" /run/zfs
  mount --bind "$work/lock" /run/lock/zfs
  mount --bind "$work/cache" /var/lib/zfs
  mount --bind "$work/etc" /etc/zfs
  printf '%s\n' 'max-arc-size = 256' 'zfs-prefetch-disable' 'fuse-attr-timeout = 3600' 'fuse-entry-timeout = 3600' \
    'fuse-mount-options = default_permissions' > /etc/zfs/zfsrc
  (
    ulimit -s unlimited
    ulimit -n 20000
    ulimit -c 0
    unset LANG
    exec zfs-fuse --no-daemon --no-kstat-mount
  ) < /dev/null > "$work/daemon.log" 2>&1 &
  daemon=$!
  local tries=0
  until [ -S /run/zfs/zfs_socket ] && zpool list -H > /dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || fail "zfs-fuse does not answer: $(tail -n 3 "$work/daemon.log")"
    sleep 0.05
  done
}

has_kernel_zfs || start_daemon
free=$(df --output=avail -B1 "$work" | tail -n 1)
size=${DC_TEST_POOL_SIZE:-$((6 << 30))}
[ "$size" -le $((free / 2)) ] || size=$((free / 2))
# Preallocated: a sparse file on a full disk suspends the pool.
fallocate -l "$size" "$work/pool.img"
zpool create -o ashift=9 -m "$work/pool" -O compression=on -O atime=off "$pool" "$work/pool.img"
export DC_TEST_POOL=$pool
status=0
"$@" || status=$?
exit "$status"
