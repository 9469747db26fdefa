# shellcheck shell=bash
# What every finalizer script starts with: the five standard arguments by name, the manifest's values, and words to
# the user. Sourced, never run:
#
#     source "$(dirname "$(readlink -f "$0")")/../common/step.sh"
#     step_begin "$@"
#
# shellcheck disable=SC2034 # what is set here is for the scripts
#
# Progress goes to stderr, which the user sees; stdout is only kept in the detail log.

# Sets MANIFEST_SOCKET, PKG_IMAGE, TMP, BOOT_ARCHIVE, MEDIA and the array STEP_ARGS; `$TMP/<step>` becomes SCRATCH,
# a folder that is empty now and removed at the end, so that a step can run again over what a failure left.
step_begin() {
  if (($# < 5)); then
    die 'started with fewer than the five standard arguments: socket, pkg_image, tmp, boot_archive, media'
  fi
  MANIFEST_SOCKET=$1 PKG_IMAGE=$2 TMP=$3 BOOT_ARCHIVE=$4 MEDIA=$5
  STEP_ARGS=("${@:6}")
  local folder
  for folder in "$PKG_IMAGE" "$TMP" "$BOOT_ARCHIVE" "$MEDIA"; do
    [[ $folder == /* && -d $folder ]] || die "'$folder' is not the absolute path of a folder"
  done
  [[ ${SOURCE_DATE_EPOCH-} =~ ^[0-9]+$ ]] || die 'SOURCE_DATE_EPOCH is not set to a number of seconds'
  SCRATCH=$TMP/${DC_STEP:-$(basename "$0")}
  readonly MANIFEST_SOCKET PKG_IMAGE TMP BOOT_ARCHIVE MEDIA STEP_ARGS SCRATCH
  rm -rf -- "$SCRATCH"
  mkdir -- "$SCRATCH"
  trap step_end EXIT
  # A signal must also pass through the EXIT trap.
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# Scripts that hold more than SCRATCH redefine this and call `rm -rf -- "$SCRATCH"` themselves.
step_end() {
  rm -rf -- "$SCRATCH"
}

say() { printf '%s\n' "$*" >&2; }
note() { printf 'note: %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# The locals of these three begin with `_`, for they share a scope with the variable that the caller names.

# read_values NAME NODEPATH: all matches, into the array NAME.
read_values() {
  local -n _into=$1
  local _answer
  _answer=$(ManifestRead "$MANIFEST_SOCKET" "$2") || die "the manifest did not answer '$2'"
  _into=()
  [[ -z $_answer ]] || mapfile -t _into <<<"$_answer"
}

# read_value NAME NODEPATH [DEFAULT]: the first match, or DEFAULT when there is none or it is empty.
read_value() {
  local _answer
  _answer=$(ManifestRead "$MANIFEST_SOCKET" "$2") || die "the manifest did not answer '$2'"
  _answer=${_answer%%$'\n'*}
  printf -v "$1" '%s' "${_answer:-${3-}}"
}

# read_key NAME KEY [DEFAULT]: as read_value, from key_value_pairs.
read_key() {
  local _answer
  _answer=$(ManifestRead -k "$MANIFEST_SOCKET" "$2") || die "the manifest did not answer the key '$2'"
  _answer=${_answer%%$'\n'*}
  printf -v "$1" '%s' "${_answer:-${3-}}"
}

# is_true VALUE: the spellings of xs:boolean, so that `1` means what `true` means.
is_true() { [[ $1 == true || $1 == 1 ]]; }

# quoted TEXT: as a literal inside a nodepath, e.g. user[username="$(quoted "$name")"]
quoted() {
  local text=${1//\\/\\\\}
  printf '%s' "${text//\"/\\\"}"
}

# clamp_times TREE: nothing in TREE is newer than SOURCE_DATE_EPOCH; older times stay.
clamp_times() {
  find "$1" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}
