#!/usr/bin/env bash
# Sees to it that this machine runs programs of 32 bits, which 32-bit images need while they are built. Where the kernel does not, qemu-user does it for
# the kernel (binfmt_misc), until the next start of the machine. Exits 1, and says so, where that cannot be.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../finalizers/debian/architecture.sh
. "$root/finalizers/debian/architecture.sh"

registry=/proc/sys/fs/binfmt_misc
emulator=/usr/bin/qemu-i386-static
# The beginning of a 32-bit x86 program, position-independent or not; the emulator is opened now, so that it is there in every chroot (F).
rule=':distrofarm-i386:M::\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x03\x00:\xff\xff\xff\xff\xff\xfe\xfe\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$emulator"':POCF'

can_run_i386 && exit 0
echo 'This kernel runs no 32-bit programs: qemu-user will' >&2
if [ ! -x "$emulator" ]; then
  apt-get update -q > /dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends qemu-user-static > /dev/null
fi
[ -e "$registry/register" ] || mount -t binfmt_misc binfmt_misc "$registry"
[ -e "$registry/distrofarm-i386" ] || printf '%s' "$rule" > "$registry/register"
can_run_i386 || {
  echo 'no 32-bit programs run here, not by qemu-user either: 32-bit images cannot be built' >&2
  exit 1
}
