#!/usr/bin/env bash
# From a fresh checkout to bootable media: sets this machine up, builds an example, and boots what came out.
#
#   first-build.sh [MANIFEST]    default: examples/debian-live.xml
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || {
    echo 'first-build: root is needed to build an image; run this as root, or install sudo' >&2
    exit 69
  }
  exec sudo env "PATH=$PATH" "$0" "$@"
fi
"$root/scripts/setup.sh" build

manifest=${1:-$root/examples/debian-live.xml}
area=dc-$(basename "$manifest" .xml)
pool=$("$root/scripts/zfs-pool.sh")
if [ -n "$pool" ]; then
  echo "Building on ZFS, in dataset $pool/$area"
  build_area=$pool/$area
  folder=$(zfs get -H -o value mountpoint "$pool")/$area
else
  build_area=/var/lib/distrofarm/$area
  folder=$build_area
  echo "Building on plain folders, in $build_area"
fi
"$root/bin/distro_const" build --build-area "$build_area" "$manifest"

"$root/bin/boot-image" --firmware bios "$folder"/media/*.iso
"$root/bin/boot-image" --firmware uefi --bus virtio "$folder"/media/*.usb
echo
echo "Steps you can go back to:  distro_const build -l --build-area $build_area $manifest"
