#!/usr/bin/env bash
# Runs platform tests on OpenZFS where the kernel has none: in a virtual machine with Debian's kernel and its zfs-dkms. The last line reads "N passed, M failed".
#
#   openzfs.sh [SPEC…] [-- ARGUMENT…]
#
# SPEC are test files, by path from the repository's folder: unless named, those of ZFS and of what agents send each other. ARGUMENT is jest's: `-- -t "broke off"`.
#
# The first run makes the machine's image, which takes some ten minutes, in DC_OPENZFS_CACHE (default /var/cache/distrofarm/openzfs; it can be removed). Needs root, qemu,
# mmdebstrap, squashfs-tools, a package mirror (DC_OPENZFS_MIRROR), and 5 GB. The processor is emulated unless DC_OPENZFS_ACCEL=kvm; DC_OPENZFS_PROCESSORS is 1.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${DC_OPENZFS_CACHE:-/var/cache/distrofarm/openzfs}
mirror=${DC_OPENZFS_MIRROR:-http://deb.debian.org/debian}
specs=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  specs+=("$1")
  shift
done
[ $# -eq 0 ] || shift
[ ${#specs[@]} -gt 0 ] || specs=(test/platform/{zfs-areas,zfs-snapshot-store,checkpoint-transfers}.spec.ts)

fail() {
  printf 'openzfs: %s\n' "$1" >&2
  exit 69
}

[ "$(id -u)" = 0 ] || fail 'root is needed, to make the image of the machine'
for program in mmdebstrap mksquashfs mke2fs qemu-system-x86_64; do
  command -v "$program" > /dev/null || fail "there is no $program here; scripts/setup.sh test installs it"
done
for spec in "${specs[@]}"; do
  [ -f "$root/$spec" ] || fail "there is no test file $spec"
done

work=$(mktemp -d /var/tmp/openzfs.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM

# The module is built for the kernel of the image, not for the one that runs here; without udev, only modules that are named are loaded.
write_hook() {
  cat > "$1" << 'HOOK'
#!/bin/sh
set -e
kernel=$(ls "$1/lib/modules" | tail -n 1)
version=$(basename "$1"/usr/src/zfs-*)
[ -e "$1/lib/modules/$kernel/updates/dkms/zfs.ko" ] || chroot "$1" dkms install "zfs/${version#zfs-}" -k "$kernel"
chroot "$1" depmod "$kernel"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/few"
printf '%s\n' virtio_pci virtio_blk crc32c_generic ext4 > "$1/etc/initramfs-tools/modules"
chroot "$1" update-initramfs -u -k "$kernel"
cat > "$1/sbin/run-tests" << 'INIT'
#!/bin/sh
mountpoint -q /proc || mount -t proc proc /proc
modprobe squashfs
mount -r -t squashfs /dev/vdb /mnt
exec bash /mnt/*/test/openzfs/guest.sh
INIT
chmod 755 "$1/sbin/run-tests"
HOOK
  chmod 755 "$1"
}

make_image() {
  local packages=linux-image-amd64,linux-headers-amd64,zfs-dkms,zfsutils-linux,btrfs-progs,initramfs-tools,kmod,procps,iproute2,zstd,libstdc++6
  write_hook "$work/hook"
  mmdebstrap --variant=minbase --components=main,contrib --include="$packages" --customize-hook="$work/hook" bookworm "$work/system" "$mirror"
  mkdir -p "$cache"
  cp "$work"/system/boot/vmlinuz-* "$cache/kernel"
  cp "$work"/system/boot/initrd.img-* "$cache/initrd"
  mke2fs -q -t ext4 -d "$work/system" "$work/system.img" 10G
  rm -rf --one-file-system "$work/system"
  # The last, and whole: where it is, all can be used.
  cp --sparse=always "$work/system.img" "$cache/system.part"
  mv "$cache/system.part" "$cache/system.img"
  rm "$work/system.img"
}

mkdir -p "$cache"
exec 9< "$cache"
flock 9
[ -e "$cache/system.img" ] || make_image
flock --unlock 9

# The repository as it is, and this machine's Node.js: it is of the same system.
printf '%s\n' --runTestsByPath "${specs[@]}" "$@" > "$work/arguments"
mksquashfs "$root" "$(readlink -f "$(command -v node)")" "$work/arguments" "$work/tests.img" \
  -quiet -no-progress -noI -noD -noF -noX -e "$root/.git" "$root/dist" > /dev/null

TMPDIR=$work qemu-system-x86_64 -accel "${DC_OPENZFS_ACCEL:-tcg}" -cpu max -smp "${DC_OPENZFS_PROCESSORS:-1}" -m 4096 \
  -nodefaults -no-user-config -no-reboot -display none -monitor none -serial stdio -nic none -device virtio-rng-pci \
  -kernel "$cache/kernel" -initrd "$cache/initrd" -append 'root=/dev/vda rw console=ttyS0 quiet panic=-1 init=/sbin/run-tests' \
  -drive "file=$cache/system.img,format=raw,if=virtio,snapshot=on" -drive "file=$work/tests.img,format=raw,if=virtio,readonly=on" \
  < /dev/null | stdbuf --output=L tr -d '\r' | tee "$work/console"

result=$(grep -oE '^[0-9]+ passed, [0-9]+ failed$' "$work/console" | tail -n 1) || result='0 passed, 1 failed'
echo "$result"
[ "${result##*, }" = '0 failed' ]
