# shellcheck shell=bash
# How packages get into an image, the same in each step that installs some. Sourced, behind architecture.sh.
# Callers declare: farm:reads: img_params/locale_list
# shellcheck disable=SC2034 # what is set here is for the scripts

# choose_packages NAME...: sets `packages` of the caller to those for ARCH: `name`, `name=version`, either with `:architecture`.
choose_packages() {
  local name
  packages=()
  for name in "$@"; do
    if [[ $name =~ ^([^:=]+):([a-z0-9-]+)(=.+)?$ ]]; then
      [[ ${BASH_REMATCH[2]} == "$ARCH" ]] || continue
      name=${BASH_REMATCH[1]}${BASH_REMATCH[3]}
    fi
    packages+=("$name")
  done
}

# set_dpkg_options: sets DPKG_OPTIONS, without their `--`. No documentation but licences, and only the messages of the languages that
# locale_list names.
set_dpkg_options() {
  local lists names name
  DPKG_OPTIONS=(
    force-unsafe-io
    'path-exclude=/usr/share/doc/*' 'path-include=/usr/share/doc/*/copyright'
    'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/info/*' 'path-exclude=/usr/share/lintian/*'
    'path-exclude=/usr/share/locale/*' 'path-include=/usr/share/locale/locale.alias'
  )
  read_values lists img_params/locale_list
  # Unquoted the list is one value, quoted it is several; no locale's name has a blank.
  read -r -a names <<<"${lists[*]}"
  for name in "${names[@]}"; do
    name=${name%%[._@]*}
    [[ ! $name =~ ^[a-z]{2,3}$ ]] || DPKG_OPTIONS+=("path-include=/usr/share/locale/$name*/*")
  done
}

# Packages run programs of theirs when they are installed.
require_runnable() {
  [[ $ARCH != i386 ]] || can_run_i386 ||
    die 'this machine runs no 32-bit programs: start its kernel with ia32_emulation=on, or let qemu-user do it (scripts/let-i386-run.sh)'
}

# Not every file system that checkpoints are on keeps file capabilities (zfs-fuse does not), and images are to be the same wherever they are built: packages find no
# setcap that works, and fall back on what they do without, setuid bits mostly. Both are for `sh -c … sh ROOT`.
# shellcheck disable=SC2016 # $1 is that shell's
readonly DIVERT_SETCAP='for setcap in /sbin/setcap /usr/sbin/setcap; do chroot "$1" dpkg-divert --quiet --local --rename'
# shellcheck disable=SC2016
readonly HIDE_SETCAP="$DIVERT_SETCAP"' --divert "$setcap.real" --add "$setcap"; done; printf "#!/bin/sh\nexit 1\n" > "$1/sbin/setcap"; chmod 755 "$1/sbin/setcap"'
# shellcheck disable=SC2016
readonly SHOW_SETCAP='rm "$1/sbin/setcap"; '"$DIVERT_SETCAP"' --remove "$setcap"; done'
