#!/usr/bin/env bash
# Prepares this machine: system packages, npm packages, build. Repeating it is quick: what is there is left alone.
#
#   setup.sh build      what building and booting images, and a farm on this machine, need (the default)
#   setup.sh test       that, and what the tests need
#   setup.sh packages   changes nothing: prints the system packages that an agent needs
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
purpose=${1:-build}

agent_packages=(
  mmdebstrap squashfs-tools xorriso mtools dosfstools e2fsprogs fdisk
  grub-common grub-pc-bin grub-efi-amd64-bin cpio zstd gzip xz-utils kmod util-linux perl
)
build_packages=("${agent_packages[@]}" qemu-system-x86 ovmf redis-server)
# The servers are started by the tests themselves, privately. The compiler is for better-sqlite3, where npm has no binary of it.
test_packages=(shellcheck chromium postgresql postgresql-client openssl iproute2 btrfs-progs g++ make python3)

fail() {
  printf 'setup: %s\n' "$1" >&2
  exit 69
}

check_machine() {
  [ -r /etc/os-release ] || fail 'this system does not say what it is; Debian 12 or newer, or Ubuntu, is needed'
  # shellcheck source=/dev/null
  . /etc/os-release
  case " $ID ${ID_LIKE:-} " in
    *' debian '* | *' ubuntu '*) ;;
    *) fail "Debian 12 or newer, or Ubuntu, is needed; this is ${PRETTY_NAME:-$ID}" ;;
  esac
  [ "$(uname -m)" = x86_64 ] || fail "an x86-64 machine is needed; this is $(uname -m)"
  command -v node > /dev/null || fail 'Node.js 20.19 or newer is needed, and there is no node in PATH'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js 20.19 or newer is needed; this is $(node --version)"
}

# zfs-fuse only where the kernel has no ZFS of its own; a machine that can have neither builds on plain folders.
zfs_packages() {
  if [ -e /dev/zfs ] || modprobe zfs 2> /dev/null; then
    command -v zpool > /dev/null || echo zfsutils-linux
  elif [ -e /dev/fuse ] && ! command -v zfs-fuse > /dev/null; then
    echo zfs-fuse
  fi
}

# The packages bring services along, which nobody asked for: they are neither started now nor at the next boot. What runs already goes on.
install_without_services() {
  local policy=/usr/sbin/policy-rc.d status=0 unit units=(redis-server.service postgresql.service) fresh=()
  for unit in "${units[@]}"; do
    [ -e "/lib/systemd/system/$unit" ] || fresh+=("$unit")
  done
  if [ -e "$policy" ]; then
    policy=
  else
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
    # shellcheck disable=SC2064  # the file as it is now
    trap "rm -f '$policy'" EXIT
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" > /dev/null || status=$?
  [ -z "$policy" ] || rm -f "$policy"
  trap - EXIT
  for unit in "${fresh[@]}"; do
    [ ! -e "/lib/systemd/system/$unit" ] || systemctl --quiet disable "$unit" > /dev/null 2>&1 || true
  done
  return "$status"
}

install_system_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  printf 'setup: installing %s\n' "${missing[*]}" >&2
  apt-get update -q > /dev/null
  install_without_services "${missing[@]}"
}

# Runs a command only when its basis, or the files named after it, changed since it last succeeded.
unless_unchanged() {
  local stamp=$1 command=$2 basis=$3 digest
  shift 3
  digest=$({
    printf '%s\n' "$basis"
    find "$@" -type f -print0 | sort -z | xargs -0 sha256sum
  } | sha256sum)
  [ ! -e "$stamp" ] || [ "$(cat "$stamp")" != "$digest" ] || return 0
  $command
  printf '%s\n' "$digest" > "$stamp"
}

install_npm_packages() {
  echo 'setup: installing npm packages' >&2
  npm ci --no-audit --no-fund --loglevel=error > /dev/null
}

build_programs() {
  echo 'setup: building' >&2
  npm run --silent build
}

if [ "$purpose" = packages ]; then
  printf '%s\n' "${agent_packages[@]}"
  exit
fi
check_machine
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || fail 'root is needed to install packages and build images; run this as root, or install sudo'
  exec sudo env "PATH=$PATH" "$0" "$@"
fi
cd "$root"
mapfile -t zfs < <(zfs_packages)
packages=("${build_packages[@]}" "${zfs[@]}")
[ "$purpose" != test ] || packages+=("${test_packages[@]}")
install_system_packages "${packages[@]}"
# Only 32-bit images need it; whoever builds one without it is told.
scripts/let-i386-run.sh || true
# better-sqlite3 is compiled for this Node, where there is a compiler; without it the farm takes the slower SQLite in WebAssembly.
unless_unchanged node_modules/.distrofarm-installed install_npm_packages "$(node --version) $(command -v g++ || true)" \
  package.json package-lock.json
unless_unchanged dist/.distrofarm-built build_programs '' apps libs package.json tsconfig.json tsconfig.build.json nest-cli.json \
  scripts/bundle-programs.js
