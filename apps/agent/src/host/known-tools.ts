/** What the shipped finalizers start, and what manifests may require (farm:requires). */
export const KNOWN_TOOLS: readonly string[] = [
  ...['apt-get', 'dpkg', 'mmdebstrap', 'debootstrap', 'mksquashfs', 'unsquashfs', 'cpio', 'tar'],
  ...['gzip', 'xz', 'zstd', 'bzip2', 'lz4', 'xorriso', 'mkisofs', 'genisoimage', 'mformat', 'mcopy'],
  ...['mke2fs', 'debugfs', 'mkfs.vfat', 'mkfs.btrfs', 'mkfs.xfs', 'sfdisk', 'sgdisk', 'parted', 'losetup'],
  ...['grub-mkimage', 'grub-install', 'grub-mkrescue', 'isohybrid', 'syslinux', 'ukify', 'sbsign'],
  ...[
    'qemu-img',
    'qemu-system-x86_64',
    'perl',
    'python3',
    'zfs',
    'zpool',
    'pkg',
    'rpm',
    'dnf',
    'git',
    'rsync',
  ],
];
