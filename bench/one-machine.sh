#!/usr/bin/env bash
# What the engine costs on one machine, as ratios from one run. Needs root, the build (scripts/setup.sh) and a package mirror; takes about
# six minutes. Prints a table; docs/operations.md quotes it.
#
#   bench/one-machine.sh [RUNS]    measured runs of each whole build, after one that fills the package cache (default 2)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
runs=${1:-2}
# A private pool and daemon, gone when we are.
if [ -z "${DC_TEST_POOL:-}" ]; then exec "$root/scripts/with-zfs.sh" "${BASH_SOURCE[0]}" "$@"; fi

work=$(mktemp -d /var/tmp/distrofarm-bench.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
cd "$work"
distro_const=$root/bin/distro_const
manifest=$root/examples/debian-minimal.xml
export SOURCE_DATE_EPOCH=1700000000

# Prints the milliseconds a command takes; its output goes to a log.
timed() {
  local start end
  start=$(date +%s%N)
  "$@" >> "$work/log" 2>&1 || {
    tail -n 30 "$work/log" >&2
    echo "bench: failed: $*" >&2
    exit 1
  }
  end=$(date +%s%N)
  echo $(((end - start) / 1000000))
}

least() { sort -n | head -n 1; }
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }
row() { printf '| %-66s | %12s | %10s |\n' "$1" "$2" "$3"; }

build() { "$distro_const" build --cache "$work/cache" --build-area "$@"; }
plain() { DC_CACHE=$work/cache "$root/bench/plain/build-minimal.sh" "$work/plain"; }

# A manifest of steps that do nothing.
idle_manifest() {
  local steps=$1 checkpoints=$2 i
  printf '#!/bin/sh\nexit 0\n' > idle
  chmod 755 idle
  printf '<distribution name="Idle"><distro_constr_params><build_area>tank/x</build_area><distro_constr_flags>'
  printf '<checkpoint_enable>%s</checkpoint_enable></distro_constr_flags><output_image><finalizer>' "$checkpoints"
  for ((i = 0; i < steps; i++)); do printf '<script name="%s/idle"><checkpoint name="s%s"/></script>' "$work" "$i"; done
  printf '</finalizer></output_image></distro_constr_params><vmimg_params/></distribution>\n'
}

# Milliseconds a step that does nothing adds, from builds of 41 and of 1 of them.
per_step() {
  local area=$1 checkpoints=$2 one many
  idle_manifest 1 "$checkpoints" > one.xml
  idle_manifest 41 "$checkpoints" > many.xml
  one=$(for _ in 1 2 3; do timed build "$area" one.xml; done | least)
  many=$(for _ in 1 2 3; do timed build "$area" many.xml; done | least)
  awk -v one="$one" -v many="$many" 'BEGIN {printf "%.0f", (many - one) / 40}'
}

# Peak resident memory of the engine's own process in MB, during a whole build.
peak_memory() {
  local pid peak=0 now
  "$distro_const" build --cache "$work/cache" --build-area "$work/dc" "$manifest" >> "$work/log" 2>&1 &
  pid=$!
  while now=$(awk '/VmHWM/ {print $2}' "/proc/$pid/status" 2> /dev/null) && [ -n "$now" ]; do
    peak=$now
    sleep 0.2
  done
  wait "$pid"
  echo $((peak / 1024))
}

echo "filling the package cache" >&2
timed plain > /dev/null
echo "whole builds" >&2
plain_all=() folder_all=() off_all=() zfs_all=()
sed 's#<checkpoint_enable>true#<checkpoint_enable>false#; s#\.\./finalizers#'"$root"'/finalizers#g' "$manifest" > off.xml
for ((i = 0; i < runs; i++)); do
  plain_all+=("$(timed plain)")
  folder_all+=("$(timed build "$work/dc" "$manifest")")
  off_all+=("$(timed build "$work/dc-off" off.xml)")
  zfs_all+=("$(timed build "$DC_TEST_POOL/bench" "$manifest")")
done
plain_ms=$(printf '%s\n' "${plain_all[@]}" | least)
folder_ms=$(printf '%s\n' "${folder_all[@]}" | least)
off_ms=$(printf '%s\n' "${off_all[@]}" | least)
zfs_ms=$(printf '%s\n' "${zfs_all[@]}" | least)
memory_mb=$(peak_memory)

echo "rebuild after a change of the boot menu" >&2
sed 's#\.\./finalizers#'"$root"'/finalizers#g; s#<timeout>[0-9]*</timeout>#<timeout>7</timeout>#' "$manifest" > menu.xml
menu_folder_ms=$(timed build "$work/dc" -r grub-setup menu.xml)
menu_zfs_ms=$(timed build "$DC_TEST_POOL/bench" -r grub-setup menu.xml)

echo "steps that do nothing, and listings" >&2
step_zfs_ms=$(per_step "$DC_TEST_POOL/idle" true)
step_folder_ms=$(per_step "$work/idle-area" true)
step_off_ms=$(per_step "$work/idle-off" false)
list_ms=$(for _ in $(seq 11); do timed "$distro_const" build -l --build-area "$DC_TEST_POOL/bench" "$manifest"; done | median)

echo
echo "$(nproc) cores, $(uname -r), node $(node --version), ZFS: $(cat /sys/module/zfs/version 2> /dev/null || echo zfs-fuse)"
row 'what' 'measured' 'target'
row '---' '---' '---'
row 'plain script, whole debian-minimal, warm package cache' "$plain_ms ms" ''
row '(a) engine on folders, checkpoints by copying / plain script' "$(ratio "$folder_ms" "$plain_ms")" '<= 1.10'
row '(a) engine on folders, checkpoints off / plain script' "$(ratio "$off_ms" "$plain_ms")" '<= 1.10'
row '    engine on ZFS / plain script on the host file system' "$(ratio "$zfs_ms" "$plain_ms")" ''
row '(b) only the boot menu changed / whole build, on folders' "$(ratio "$menu_folder_ms" "$folder_ms")" '<= 0.25'
row '(b) only the boot menu changed / whole build, on ZFS' "$(ratio "$menu_zfs_ms" "$zfs_ms")" '<= 0.25'
row '(c) a step that does nothing, with its checkpoint, on ZFS' "$step_zfs_ms ms" '<= 150 ms'
row '(c) a step that does nothing, with its checkpoint, on folders' "$step_folder_ms ms" ''
row '(c) a step that does nothing, checkpoints off' "$step_off_ms ms" '<= 60 ms'
row '(d) distro_const build -l, start to exit' "$list_ms ms" '<= 250 ms'
row '(e) peak memory of the engine process' "$memory_mb MB" '<= 150 MB'
