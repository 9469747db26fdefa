#!/usr/bin/env bash
# Sees to it that there is a pool to build in, and prints its name; prints nothing, and says why on stderr, where this
# machine can have no ZFS. The pool lives in a file, so that no disk of the machine is touched.
set -euo pipefail

pool=distrofarm
file=/var/lib/distrofarm/pool.img
wanted_bytes=$((16 << 30))
least_bytes=$((6 << 30))

no_zfs() {
  printf 'no ZFS here (%s): checkpoints will be made by copying\n' "$1" >&2
  exit 0
}

answers() { zpool list -H -o name > /dev/null 2>&1; }

start_daemon() {
  [ -x /etc/init.d/zfs-fuse ] || no_zfs 'neither a kernel module nor zfs-fuse'
  [ -e /dev/fuse ] || no_zfs 'there is no /dev/fuse'
  /etc/init.d/zfs-fuse start > /dev/null 2>&1 || true
  local tries=0
  until answers; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || no_zfs 'zfs-fuse does not answer'
    sleep 0.1
  done
}

make_pool() {
  mkdir -p "$(dirname "$file")"
  local free size
  free=$(df --output=avail -B1 "$(dirname "$file")" | tail -n 1)
  size=$((free / 2 < wanted_bytes ? free / 2 : wanted_bytes))
  [ "$size" -ge "$least_bytes" ] || no_zfs "$(dirname "$file") has too little room for a pool"
  # Preallocated: a sparse file on a disk that fills up suspends the whole pool.
  fallocate -l "$size" "$file"
  zpool create -o ashift=9 -m "/var/lib/distrofarm/pool" -O compression=on -O atime=off "$pool" "$file"
}

[ -e /dev/zfs ] || answers || start_daemon
answers || no_zfs 'the pools cannot be listed'
if ! zpool list -H -o name "$pool" > /dev/null 2>&1; then
  if [ -e "$file" ]; then
    zpool import -d "$(dirname "$file")" "$pool" > /dev/null
  else
    make_pool
  fi
fi
zfs mount -a > /dev/null 2>&1 || true
printf '%s\n' "$pool"
