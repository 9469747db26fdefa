#!/usr/bin/env bash
# The baseline: the system of examples/debian-minimal.xml as ISO and USB image, made by the same tools in one plain script.
# No engine, no steps, no checkpoints, no questions to a manifest; what a careful person would write who needs this one
# image. bench/one-machine.sh divides the engine's time by this one's.
#
#   build-minimal.sh OUTDIR       Needs root. Writes OUTDIR/Debian_Minimal_X86.{iso,usb}, works in a temporary folder.
#
# Environment: DC_CACHE, where package lists and .debs are kept between runs; SOURCE_DATE_EPOCH.
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1700000000}

name=Debian_Minimal_X86
packages=(apt busybox-static linux-image-cloud-amd64 systemd-sysv)
modules=(ahci ata_piix ata_generic nvme sd_mod sr_mod mmc_block sdhci_pci sdhci_acpi mptspi vmw_pvscsi hv_storvsc xen-blkfront
  virtio_pci virtio_blk virtio_scsi usb-storage uas xhci_pci ehci_pci ohci_pci uhci_hcd usbhid hid-generic atkbd i8042
  loop squashfs overlay isofs ext4 crc32c_generic crc32c-intel vfat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8)

mkdir -p -- "${1:?usage: build-minimal.sh OUTDIR}"
out=$(realpath -- "$1")
finalizers=$(realpath -- "$(dirname "$0")/../../finalizers/debian")
work=$(mktemp -d "${TMPDIR:-/var/tmp}/plain-minimal.XXXXXX")
trap 'rm -rf --one-file-system -- "$work"' EXIT
root=$work/root tree=$work/tree archive=$work/archive
mkdir "$root" "$tree" "$archive"

# --- packages: lists and .debs from the cache, a local repository of what is needed, mmdebstrap ---
cache=${DC_CACHE:-$work}/plain
mkdir -p "$cache"/{empty,debs,lists/partial,apt/archives/partial} "$work/repository"
"$finalizers/machine-sources" amd64 >"$cache/sources.list"
: >"$cache/status"
{
  apt-config dump --format '%F "%v";%n' Acquire | grep -vE '^Acquire::(Languages|IndexTargets|CompressionTypes|GzipIndexes)|^Acquire ""'
  cat <<EOT
Dir::Etc::main "/dev/null"; Dir::Etc::parts "$cache/empty"; Dir::Etc::sourcelist "$cache/sources.list";
Dir::Etc::sourceparts "$cache/empty"; Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "$cache/empty";
Dir::State::lists "$cache/lists"; Dir::State::status "$cache/status"; Dir::Cache "$cache/apt";
APT::Architecture "amd64"; APT::Architectures "amd64"; APT::Install-Recommends "false"; APT::Sandbox::User "root";
pkgCacheGen::ForceEssential ","; Acquire::Languages "none"; Acquire::ForceHash "SHA256";
EOT
} >"$cache/apt.conf"
export APT_CONFIG=$cache/apt.conf
apt-get update --error-on=any
apt-get install --print-uris -qq --yes '?narrow(?architecture(amd64),?essential)' "${packages[@]}" |
  sed -nE "s/^'([^']+)' (\S+) ([0-9]+) SHA256:([0-9a-f]{64})$/\4 \1 \2/p" >"$work/closure"
missing=() specs=()
while read -r sha uri file; do
  [[ -f $cache/debs/$sha.deb ]] || missing+=("$uri" "$cache/debs/$sha.deb" "SHA256:$sha")
  file=${file%_*} file=${file//%3a/:}
  specs+=("${file%%_*}=${file#*_}")
done <"$work/closure"
((${#missing[@]} == 0)) || /usr/lib/apt/apt-helper download-file "${missing[@]}"
cut -d' ' -f1 "$work/closure" | while read -r sha; do cp --reflink=auto "$cache/debs/$sha.deb" "$work/repository/"; done
apt-cache show --no-all-versions "${specs[@]}" |
  perl -00 -ne 'my ($sha) = /^SHA256: (\S+)$/m; s/^Filename: .*$/Filename: .\/$sha.deb/m; s/^(?:MD5sum|SHA1|SHA512): .*\n//mg; print' >"$work/repository/Packages"
unset APT_CONFIG

# shellcheck disable=SC2016 # $1 and repository are for the hooks' shell
repository=$work/repository INITRD=No mmdebstrap --mode=root --format=directory --variant=essential --architectures=amd64 \
  --setup-hook='mkdir "$1/tmp/repository"; mount --bind -o ro "$repository" "$1/tmp/repository"' \
  --customize-hook='umount "$1/tmp/repository"; rmdir "$1/tmp/repository"' \
  --aptopt='APT::Sandbox::User "root"' --dpkgopt=force-unsafe-io \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/locale/locale.alias' \
  --include="$(IFS=,; echo "${packages[*]}")" '' "$root" "deb [trusted=yes] file:$root/tmp/repository ./"

# --- the system ---
rm -rf "$root"/etc/{apt/apt.conf.d,dpkg/dpkg.cfg.d}/99mmdebstrap "$root"/etc/{passwd,group,shadow,gshadow,subuid,subgid}- \
  "$root"/etc/{.pwd.lock,resolv.conf} "$root"/var/lib/dpkg/*-old "$root"/var/cache/debconf/*-old \
  "$root/var/cache/ldconfig/aux-cache" "$root"/etc/apt/sources.list.d/* "$root/var/log/journal"
find "$root/var/log" -type f -delete
find "$root/var/lib/apt/lists" "$root/var/cache/apt" "$root/run" "$root/tmp" -mindepth 1 -delete
printf 'deb http://deb.debian.org/debian bookworm main\ndeb http://deb.debian.org/debian-security bookworm-security main\n' >"$root/etc/apt/sources.list"
# shellcheck disable=SC2016 # the dollars are the hash's
hash=$(perl -e 'print crypt("distrofarm", "\$6\$plainscript")')
HASH=$hash perl -i -F: -lape 'if ($F[0] eq "root") { $F[1] = $ENV{HASH}; $_ = join ":", @F, ("") x (9 - @F) }' "$root/etc/shadow"
printf 'debian\n' >"$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n::1\t\tlocalhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
printf 'LANG=C.UTF-8\n' >"$root/etc/default/locale"
: >"$root/etc/machine-id"
mkdir -p "$root/usr/lib/distrofarm-live"
install -m 0755 "$finalizers/live/announce" "$root/usr/lib/distrofarm-live/announce"
printf '%s\n' "$name" >"$root/usr/lib/distrofarm-live/name"
install -m 0644 "$finalizers/live/distrofarm-live.service" "$root/etc/systemd/system/"
ln -s ../distrofarm-live.service "$root/etc/systemd/system/multi-user.target.wants/"
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# --- the boot archive ---
kernel=$(basename "$root"/boot/vmlinuz-*)
kernel=${kernel#vmlinuz-}
id=$({ printf '%s\n' "$name" "$SOURCE_DATE_EPOCH"; cat "$root/var/lib/dpkg/status"; } | sha256sum | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/')
mkdir -p "$archive"/{dev,proc,sys,run,root,tmp,usr/bin,usr/sbin,usr/lib/modules/"$kernel"}
for link in bin sbin lib; do ln -s "usr/$link" "$archive/$link"; done
cp -p "$root/usr/bin/busybox" "$archive/usr/bin/"
install -m 0755 "$finalizers/live/init" "$archive/init"
printf '%s\n' "$id" >"$archive/.volsetid"
printf 'live/x86-64.squashfs\n' >"$archive/.archive"
perl -e '
  my ($folder, @names) = @ARGV;
  sub plain { my $name = $_[0] =~ s{.*/}{}r =~ s{\.ko.*}{}sr; $name =~ tr/-/_/; $name }
  open my $dep, "<", "$folder/modules.dep" or die $!;
  while (<$dep>) { my ($file, @needs) = split /:?\s+/; $closure{plain($file)} = [$file, @needs] }
  $wanted{$_} = 1 for map { @{ $closure{plain($_)} // [] } } @names;
  print "$_\0" for sort keys %wanted;
' "$root/usr/lib/modules/$kernel" "${modules[@]}" |
  (cd "$root/usr/lib/modules/$kernel" && cpio --null --pass-through --make-directories --preserve-modification-time --quiet "$archive/usr/lib/modules/$kernel")
cp -p "$root/usr/lib/modules/$kernel"/modules.{builtin,builtin.modinfo,order} "$archive/usr/lib/modules/$kernel/"
depmod --basedir "$archive" "$kernel"
find "$archive" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$tree"/{boot/x86-64,boot/grub,live,EFI/BOOT}
(cd "$archive" && find . -mindepth 1 -print0 | sort -z | cpio --null --create --format=newc --reproducible --owner=0:0 --quiet) |
  zstd --quiet --stdout --threads=0 -3 >"$tree/boot/x86-64/initrd.img"
cp "$root/boot/vmlinuz-$kernel" "$tree/boot/x86-64/vmlinuz"

# --- the root archive ---
mksquashfs "$root" "$tree/live/x86-64.squashfs" -noappend -no-exports -no-progress -quiet -comp zstd -Xcompression-level 3

# --- the boot menu ---
printf '%s\n' "$id" >"$tree/.volsetid"
: >"$tree/boot/grub/$id.medium"
cat >"$tree/boot/grub/grub.cfg" <<'EOT'
set timeout=1
set default=0
if [ "$grub_platform" = pc ]; then
  if serial --unit=0 --speed=115200; then
    terminal_input console serial
    terminal_output console serial
  fi
fi
menuentry 'Debian 12 minimal' {
  linux /boot/x86-64/vmlinuz console=tty0 console=ttyS0,115200 quiet
  initrd /boot/x86-64/initrd.img
}
EOT
# shellcheck disable=SC2016 # $root is GRUB's
printf 'search.file /boot/grub/%s.medium root\nset prefix=($root)/boot/grub\n' "$id" >"$work/early.cfg"
grub_image() {
  grub-mkimage --directory="/usr/lib/grub/${1%-eltorito}" --format="$1" --prefix=/boot/grub --config="$work/early.cfg" --output="$tree/$2" \
    part_gpt part_msdos iso9660 ext2 fat search search_fs_file normal configfile linux chain echo test true \
    sleep halt reboot minicmd cat ls help serial terminal regexp "${@:3}"
}
grub_image i386-pc-eltorito boot/grub/eltorito.img biosdisk cpuid drivemap
grub_image i386-pc boot/grub/core.img biosdisk cpuid drivemap
grub_image x86_64-efi EFI/BOOT/BOOTX64.EFI efi_gop efi_uga all_video efifwsetup
find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# --- the media ---
efi_system() {
  truncate --size="$3K" "$1"
  mkfs.fat -F "$2" -n EFI -i "${id:0:8}" --invariant "$1"
  mmd -i "$1" ::EFI ::EFI/BOOT
  mcopy -i "$1" "$tree/EFI/BOOT/BOOTX64.EFI" ::EFI/BOOT/BOOTX64.EFI
}
efi_system "$work/efi-iso.img" 12 4096
date=$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S00)
xorriso -as mkisofs -quiet -iso-level 3 -rational-rock -joliet-long -volid "$name" -volset "$id" \
  --modification-date="$date" --set_all_file_dates "$date" --gpt_disk_guid "$id" \
  --grub2-mbr /usr/lib/grub/i386-pc/boot_hybrid.img \
  -eltorito-boot boot/grub/eltorito.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info -eltorito-catalog .catalog \
  -append_partition 2 0xef "$work/efi-iso.img" -appended_part_as_gpt \
  -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot -isohybrid-gpt-basdat \
  -output "$out/$name.iso" "$tree"

usb=$out/$name.usb
blocks=$((($(find "$tree" -type f -printf '%s\n' -o -printf '1\n' | awk '{ b += int(($1 + 4095) / 4096) + 1 } END { print int(b * 1.01) }') + 800) / 256 * 256))
rm -f "$usb"
truncate --size=$(((73728 + blocks * 8 + 2048) * 512)) "$usb"
sfdisk --quiet "$usb" <<EOT
label: gpt
label-id: $id
first-lba: 34
start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=${id:0:35}1
start=4096, size=69632, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=${id:0:35}2
start=73728, size=$((blocks * 8)), type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=${id:0:35}3
EOT
efi_system "$work/efi-usb.img" 32 34816
dd if="$work/efi-usb.img" of="$usb" bs=512 seek=4096 conv=notrunc,sparse status=none
perl -e '
  my ($boot_file, $core_file, $target) = @ARGV;
  sub slurp { local $/; open my $file, "<:raw", $_[0] or die "$_[0]: $!\n"; <$file> }
  my ($boot, $core) = (substr(slurp($boot_file), 0, 440), slurp($core_file));
  substr($boot, 0x5c, 8) = pack "Q<", 2048;
  substr($boot, 0x66, 2) = "\x90\x90";
  substr($core, 500, 12) = pack "Q< S< S<", 2049, int((length($core) + 511) / 512) - 1, 0x820;
  open my $image, "+<:raw", $target or die $!;
  print {$image} $boot or die $!;
  seek $image, 2048 * 512, 0 or die $!;
  print {$image} $core or die $!;
  close $image or die $!;
' /usr/lib/grub/i386-pc/boot.img "$tree/boot/grub/core.img" "$usb"
E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -F -t ext4 -d "$tree" -L live -U "$id" -b 4096 -I 256 -N 96 -m 0 \
  -O none,ext_attr,dir_index,filetype,extent,sparse_super,large_file,huge_file,extra_isize \
  -E "offset=$((73728 * 512)),hash_seed=$id,root_owner=0:0,lazy_itable_init=0,nodiscard" "$usb" "$blocks"
