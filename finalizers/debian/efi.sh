# shellcheck shell=bash
# The EFI system partition: a FAT file system with GRUB as the firmware's fallback boot program. Sourced by iso and usb.

# make_efi_system FILE FAT-BITS KIB: without mounts; the same bytes for the same GRUB. Times come from SOURCE_DATE_EPOCH.
make_efi_system() {
  truncate --size="$3K" -- "$1"
  mkfs.fat -F "$2" -n EFI -i "$(derived_id efi | cut -c1-8)" --invariant -- "$1" >/dev/null
  mmd -i "$1" ::EFI ::EFI/BOOT
  mcopy -i "$1" "$PKG_IMAGE/EFI/BOOT/BOOTX64.EFI" ::EFI/BOOT/BOOTX64.EFI
}
