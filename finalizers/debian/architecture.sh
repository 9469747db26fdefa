# shellcheck shell=bash
# The two architectures of Debian images: Debian's name for packages, the folder name on the medium. Sourced.
# shellcheck disable=SC2034 # what is set here is for the scripts

# use_architecture NAME: sets ARCH (amd64, i386) and ARCH_DIR (x86-64, x86-32).
use_architecture() {
  ARCH=$1
  case $ARCH in
    amd64) ARCH_DIR=x86-64 ;;
    i386) ARCH_DIR=x86-32 ;;
    *) die "architecture '$ARCH' is not supported: expected amd64 or i386" ;;
  esac
  readonly ARCH ARCH_DIR
}

# use_image_architecture [NAME]: takes it from the packages in pkg_image; NAME, the step's argument, must agree.
use_image_architecture() {
  local from_image
  [[ -f $PKG_IMAGE/var/lib/dpkg/arch ]] || die "pkg_image holds no Debian system: run im-pop first"
  read -r from_image <"$PKG_IMAGE/var/lib/dpkg/arch"
  [[ ${1:-$from_image} == "$from_image" ]] || die "the step asks for $1, but pkg_image was populated for $from_image"
  use_architecture "$from_image"
}

# use_image_kernel: sets KERNEL, the version of the newest kernel in pkg_image.
use_image_kernel() {
  local images
  mapfile -t images < <(find "$PKG_IMAGE/boot" -maxdepth 1 -name 'vmlinuz-*' -printf '%f\n' | sort --version-sort)
  ((${#images[@]} > 0)) || die 'pkg_image/boot holds no kernel (vmlinuz-*): add a linux-image package'
  KERNEL=${images[-1]#vmlinuz-}
  ((${#images[@]} == 1)) || note "${#images[@]} kernels are installed; the medium boots the newest, $KERNEL"
  readonly KERNEL
}

# can_run_i386: an x86-64 kernel runs programs of 32 bits unless it was built or started without that; so it is asked, with the smallest one
# there is: an ELF header, one segment, and exit(0).
can_run_i386() {
  local program status=0
  program=$(mktemp) || return 1
  printf '%b' '\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00' \
    '\x02\x00\x03\x00\x01\x00\x00\x00\x54\x80\x04\x08\x34\x00\x00\x00' \
    '\x00\x00\x00\x00\x00\x00\x00\x00\x34\x00\x20\x00\x01\x00\x00\x00\x00\x00\x00\x00' \
    '\x01\x00\x00\x00\x00\x00\x00\x00\x00\x80\x04\x08\x00\x80\x04\x08' \
    '\x60\x00\x00\x00\x60\x00\x00\x00\x05\x00\x00\x00\x00\x10\x00\x00' \
    '\xb8\x01\x00\x00\x00\x31\xdb\xcd\x80' >"$program"
  chmod 700 "$program"
  # Not by name alone: a shell would take what the kernel refuses for a script.
  env -- "$program" 2>/dev/null || status=$?
  rm -f "$program"
  return "$status"
}
