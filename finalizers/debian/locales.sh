# shellcheck shell=bash
# Locales of the image, made by its own localedef (package locales). Sourced by im-locale and im-mod.

# C and POSIX are always there.
is_built_in_locale() { [[ $1 =~ ^(|C|POSIX|Posix|Posix/C|C/POSIX|C/Posix|C\.UTF-?8|C\.utf8)$ ]]; }

# make_locales NAME...: those that the image does not have yet.
make_locales() {
  local name charset
  for name in $(printf '%s\n' "$@" | sort -u); do
    ! is_built_in_locale "$name" || continue
    [[ ! -d $PKG_IMAGE/usr/lib/locale/$(locale_folder "$name") ]] || continue
    [[ -x $PKG_IMAGE/usr/bin/localedef && -d $PKG_IMAGE/usr/share/i18n/locales ]] || die "locale '$name' needs the package locales"
    charset=${name#*.}
    charset=${charset%%@*}
    [[ $name == *.* ]] || charset=UTF-8
    say "making locale $name"
    chroot "$PKG_IMAGE" localedef --no-archive -i "${name%%.*}" -f "${charset/#utf8/UTF-8}" "$name" >&2 || die "locale '$name' cannot be made"
  done
}

# locale_folder NAME: as localedef calls it: de_DE.utf8 for de_DE.UTF-8.
locale_folder() {
  local charset='' modifier=''
  [[ $1 != *.* ]] || charset=${1#*.}
  [[ $charset != *@* ]] || modifier=@${charset#*@}
  charset=${charset%%@*}
  charset=${charset,,}
  charset=${charset//[^a-z0-9]/}
  printf '%s' "${1%%.*}${charset:+.$charset}$modifier"
}
