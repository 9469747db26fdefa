# shellcheck shell=bash
# Compression of boot archives: what the kernel can unpack by itself. Sourced by ba-arch.

# compress TYPE LEVEL <INPUT >OUTPUT: the same bytes for the same input; no threads where they would change the result.
# Level 0 is the tool's own default.
compress() {
  local level=(${2:+"-$2"})
  [[ $2 != 0 ]] || level=()
  case $1 in
    none) cat ;;
    gzip) gzip --no-name "${level[@]}" ;;
    zstd) zstd --quiet --stdout --threads=0 "${level[@]}" ;;
    # The kernel's unpacker knows no other check sum.
    xz) xz --check=crc32 --stdout "${level[@]}" ;;
    lzma) xz --format=lzma --stdout "${level[@]}" ;;
    lz4) lz4 -l --quiet --stdout "${level[@]}" ;;
    *) die "boot_archive compression '$1' is not supported: expected none, gzip, zstd, xz, lzma or lz4" ;;
  esac
}
