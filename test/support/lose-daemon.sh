#!/usr/bin/env bash
# Runs inside scripts/with-zfs.sh: kills the ZFS daemon in the middle of a step, starts it again, and resumes the build. Prints how both went.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

write_step() {
  printf '#!/bin/bash\nset -e\necho %s >> %s/truth\n%s\n' "$1" "$work" "$2" > "$1"
  chmod 755 "$1"
}

{
  printf '<distribution name="Lost"><distro_constr_params><build_area>%s/dc</build_area>' "$DC_TEST_POOL"
  printf '<distro_constr_flags/><output_image><finalizer>'
  for step in im-pop ba-init iso; do printf '<script name="%s/%s"><checkpoint name="%s"/></script>' "$work" "$step" "$step"; done
  printf '</finalizer></output_image></distro_constr_params><vmimg_params/></distribution>'
} > m.xml
write_step im-pop ''
write_step iso ''
# shellcheck disable=SC2016  # for the step
write_step ba-init 'while :; do echo x >> "$2/log"; sleep 0.05; done'

"$root/bin/distro_const" build m.xml > out 2>&1 &
build=$!
until grep -qs ba-init truth; do sleep 0.02; done
kill -KILL "$(pgrep -x zfs-fuse)"
status=0
wait "$build" || status=$?
echo "status $status"
cat out

# What an operator does: take the dead mounts away, start the daemon, mount.
awk '$3 == "fuse.zfs" {print $2}' /proc/self/mounts | tac | while read -r mount; do umount -l "$mount"; done
rm -f /run/zfs/zfs_socket
zfs-fuse --no-daemon --no-kstat-mount < /dev/null > /dev/null 2>&1 &
until zpool list -H > /dev/null 2>&1; do sleep 0.05; done
zfs mount -a
rm truth
write_step ba-init ''
status=0
"$root/bin/distro_const" build -R m.xml > out 2>&1 || status=$?
echo "again: $status"
tr '\n' ' ' < truth
