#!/usr/bin/env bash
# Runs a command with a throw-away ZFS pool, and leaves nothing behind, however the command ends. The pool's name is in DC_TEST_POOL.
#
#   with-zfs.sh COMMAND [ARGUMENT…]
#
# Everything happens in mount and process namespaces of its own, so that the kernel takes away what we could not. Where the kernel has no
# ZFS, a private zfs-fuse serves the namespace. DC_TEST_POOL_SIZE is the size of the pool in bytes (default 6 GiB, less where there is less).
# Exits as the command does; 69 where there can be no ZFS; 130 and 143 when told to end by INT and TERM, which the command is told too.
set -euo pipefail

self=$(readlink -f "${BASH_SOURCE[0]}")

fail() {
  printf 'with-zfs: %s\n' "$1" >&2
  exit 69
}

# What a run that was killed left. The lock is held by every process of a run, so it is free when the last one is gone.
remove_leftovers() {
  local folder
  find /var/tmp -maxdepth 1 -name 'with-zfs-run.*' -mmin +1 -print0 | while IFS= read -r -d '' folder; do
    flock --nonblock "$folder" rm -rf --one-file-system "$folder" || true
  done
}

# Outside of the namespaces: only this process is sure to live until they are gone.
run_outside() {
  local work namespaces signal status=0
  remove_leftovers
  work=$(mktemp -d /var/tmp/with-zfs-run.XXXXXX)
  # shellcheck disable=SC2064  # the folder as it is now
  trap "rm -rf --one-file-system '$work'" EXIT
  exec 9< "$work"
  flock 9
  # In the background, because a shell notices a signal only when what is in front has ended; there, INT is ignored unless one says otherwise.
  env --default-signal=INT,QUIT setpriv --pdeathsig KILL \
    unshare --mount --pid --fork --kill-child=KILL --mount-proc "$self" --inside "$work" "$PWD" "$@" <&0 &
  namespaces=$!
  # unshare(1) does not pass signals on: its child, the first process inside, is told directly.
  for signal in INT TERM; do
    # shellcheck disable=SC2064
    trap "pkill -$signal -P $namespaces || true" "$signal"
  done
  wait "$namespaces" || status=$?
  # A trapped signal ends the wait, not the run.
  while kill -0 "$namespaces" 2> /dev/null; do
    status=0
    wait "$namespaces" || status=$?
  done
  exit "$status"
}

if [ "${1:-}" != --inside ]; then
  [ "$(id -u)" = 0 ] || fail 'root is needed'
  [ $# -gt 0 ] || fail 'usage: with-zfs.sh COMMAND [ARGUMENT…]'
  run_outside "$@"
fi
work=$2
cd "$3"
shift 3

has_kernel_zfs() { [ -e /dev/zfs ] && zpool list > /dev/null 2>&1; }

pool=dctest_$(basename "$work" | tr -dc '[:alnum:]')
daemon=
command=

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  trap '' INT TERM
  trap - EXIT
  cd /
  if has_kernel_zfs; then
    zpool destroy -f "$pool" > /dev/null 2>&1 || true
  elif [ -n "$daemon" ]; then
    # The pool lives in a file that goes with us: there is nothing to save in it.
    kill -KILL "$daemon" 2> /dev/null || true
    wait "$daemon" 2> /dev/null || true
  fi
}

# shellcheck disable=SC2317
end_by() {
  trap '' INT TERM
  if [ -n "$command" ]; then
    kill -"$1" "$command" 2> /dev/null || true
    # Ten seconds to end by itself; then the namespace takes it, and all it started, away.
    local tries=0
    while kill -0 "$command" 2> /dev/null && [ "$tries" -lt 200 ]; do
      tries=$((tries + 1))
      sleep 0.05
    done
  fi
  exit "$2"
}
trap clean_up EXIT
trap 'end_by INT 130' INT
trap 'end_by TERM 143' TERM

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
# In the background for the same reason as above.
env --default-signal=INT,QUIT,TERM "$@" <&0 &
command=$!
status=0
wait "$command" || status=$?
command=
exit "$status"
