# shellcheck shell=bash
# Where packages come from, opened as a private apt. Sourced, behind architecture.sh and apt.sh.
# pkg_repo_default_authority/main with farm:type="deb", and pkg_repo_addl_authority:
#   url="http://deb.debian.org/debian" authname="bookworm main"      suite and components; http, https or file
#   url="file:///srv/debs" authname="[trusted=yes] ./"               apt's options for the source may come first
#   url="machine:apt"                                                the Debian archives this machine itself uses
# mirror/@url are tried in order when main does not answer.
#
# Callers declare: farm:reads: img_params/pkg_repo_default_authority img_params/pkg_repo_addl_authority, and what else append_authority is
# to look at; and farm:includes: machine-sources.

refuse_unknown_repository() {
  local types type
  read_values types img_params/pkg_repo_default_authority/main/farm:type
  for type in "${types[@]}"; do
    [[ $type == deb ]] || die "pkg_repo_default_authority has farm:type '$type': these steps install from 'deb' only"
  done
}

# read_sources: what the manifest names, as one-line sources, into the array `entries` of the caller; `origin` becomes machine or
# manifest.
read_sources() {
  local default_url urls url
  entries=()
  read_value default_url img_params/pkg_repo_default_authority/main/url
  if [[ $default_url == machine:apt ]]; then
    origin=machine
    "$(dirname "${BASH_SOURCE[0]}")/machine-sources" "$ARCH" >"$SCRATCH/machine-sources" || die 'cannot read the sources of this machine'
    mapfile -t entries <"$SCRATCH/machine-sources"
    ((${#entries[@]} > 0)) || die "this machine's apt has no Debian or Ubuntu archive for $ARCH"
  else
    origin=manifest
    append_authority pkg_repo_default_authority "$default_url"
  fi
  read_values urls img_params/pkg_repo_addl_authority/main/url
  for url in "${urls[@]}"; do append_authority pkg_repo_addl_authority "$url"; done
}

# open_sources: opens the private apt on `entries`, and leaves those of the machine out that it cannot use.
open_sources() {
  say "reading ${#entries[@]} package sources"
  prepare_apt "${entries[@]}"
  if ! update_lists "$SCRATCH/update.log"; then
    local gone=''
    [[ $origin == manifest ]] || gone=$(unusable_in "$SCRATCH/update.log")
    [[ -n $gone ]] || update_failed
    drop_sources "$gone" "its server has no such suite for $ARCH, or one that does not match its signature"
    update_lists "$SCRATCH/update.log" || update_failed
  fi
}

# open_filled_sources: those that have packages. Of the machine's own, those without this architecture are left out with a note; a repository
# that the manifest names must have it.
open_filled_sources() {
  local entries origin
  read_sources
  open_sources
  drop_sources "$(empty_sources)" "it has no packages for $ARCH"
}

update_failed() {
  grep -E '^(Err:|[EW]:| )' "$SCRATCH/update.log" >&2 || cat "$SCRATCH/update.log" >&2
  die 'cannot read the package sources, also when tried again'
}

# append_authority ELEMENT URL: adds the one-line source to `entries` of the caller.
append_authority() {
  local element=$1 url=$2 selected suite options='' mirrors
  selected="img_params/${element}[main/url=\"$(quoted "$url")\"]"
  read_value suite "$selected/main/authname"
  [[ $url =~ ^(https?|file):/ ]] || die "$element: '$url' is no repository of .debs: expected http:, https:, file: or machine:apt"
  if [[ $suite =~ ^(\[[^]]*\])\ +(.*)$ ]]; then options="${BASH_REMATCH[1]} " suite=${BASH_REMATCH[2]}; fi
  [[ $suite == */ || $suite == *' '* ]] || die "$element: authname '$suite' of '$url' should be a suite and components, as 'bookworm main'"
  read_values mirrors "$selected/mirror/url"
  if ((${#mirrors[@]} > 0)); then url=$(mirror_list "$url" "${mirrors[@]}"); fi
  entries+=("deb $options$url $suite")
}

# apt's own mirror method: the first that answers, in this order.
mirror_list() {
  local list priority=0 url text=''
  for url in "$@"; do text+=$url$'\t'priority:$((priority += 1))$'\n'; done
  list=$CACHE/mirrors/$(sha256sum <<<"$text" | cut -c1-16)
  mkdir -p -- "$CACHE/mirrors"
  printf '%s' "$text" >"$list"
  printf 'mirror+file:%s\n' "$(as_uri_path "$list")"
}

# drop_sources NAMES WHY: NAMES as name_of_source prints them, one per line.
drop_sources() {
  local kept=() entry name
  [[ -n $1 ]] || return 0
  for entry in "${entries[@]}"; do
    name=$(name_of_source "$entry")
    if grep --quiet --line-regexp --fixed-strings -- "$name" <<<"$1"; then
      [[ $origin == machine ]] || die "source '$name': $2"
      note "source '$name' skipped: $2"
    else
      kept+=("$entry")
    fi
  done
  ((${#kept[@]} > 0)) || die "no package source is left for $ARCH"
  entries=("${kept[@]}")
  printf '%s\n' "${entries[@]}" >"$APT_DIR/sources.list"
}

empty_sources() {
  local entry
  sources_with_packages >"$SCRATCH/filled"
  for entry in "${entries[@]}"; do name_of_source "$entry"; done | grep --line-regexp --fixed-strings --invert-match --file="$SCRATCH/filled" || true
}
