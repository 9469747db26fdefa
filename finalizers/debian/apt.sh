# shellcheck shell=bash
# A private apt: it reads the machine's trusted keys and its Acquire options (proxy, Check-Valid-Until, …), and nothing
# else of the machine: no sources, preferences, hooks or package state, and it writes only below its own folder.
# Sourced by im-pop, im-layer and repository-state.
#
# What a build may share with later ones lies in CACHE (below $DC_CACHE, else the step's scratch folder):
#   apt/<key>/   apt's lists and caches for one set of sources and architecture; a flock on it serializes their use
#   debs/        .deb files, named after their SHA-256; every use is checked against the signed index again

CACHE_LIMIT_BYTES=$((4 * 1024 * 1024 * 1024))
# For apt-get update.
UPDATE_OPTIONS=()

# prepare_apt ENTRY...: one-line sources. Sets APT_DIR and exports APT_CONFIG. Where INSTALLED is set, it is dpkg's status file of the system
# that packages are added to.
prepare_apt() {
  local key
  key=$(printf '%s\n' "$ARCH" "$@" | sha256sum)
  APT_DIR=$CACHE/apt/${key:0:16}
  mkdir -p -- "$APT_DIR"/{empty,state/lists/partial,cache/archives/partial} "$CACHE/debs"
  exec 9>"$APT_DIR/lock"
  flock --timeout 900 9 || die "another build has kept '$APT_DIR' locked for 15 minutes"
  cp -- "${INSTALLED:-/dev/null}" "$APT_DIR/status"
  printf '%s\n' "$@" >"$APT_DIR/sources.list"
  write_apt_config >"$APT_DIR/apt.conf"
  export APT_CONFIG=$APT_DIR/apt.conf
}

write_apt_config() {
  local retries
  read_key retries repository_retries 3
  [[ $retries =~ ^[0-9]+$ ]] || die "key repository_retries is '$retries': expected a number"
  # The list options of apt itself (Languages, IndexTargets, …) would add downloads that no image needs.
  apt-config dump --format '%F "%v";%n' Acquire | grep -vE '^Acquire::(Languages|IndexTargets|CompressionTypes|GzipIndexes|Retries)|^Acquire ""'
  cat <<EOT
Dir::Etc::main "/dev/null";
Dir::Etc::parts "$APT_DIR/empty";
Dir::Etc::sourcelist "$APT_DIR/sources.list";
Dir::Etc::sourceparts "$APT_DIR/empty";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$APT_DIR/empty";
Dir::State "$APT_DIR/state";
Dir::State::status "$APT_DIR/status";
Dir::Cache "$APT_DIR/cache";
APT::Architecture "$ARCH";
APT::Architectures "$ARCH";
APT::Install-Recommends "false";
// The folders may be below one that only root can enter.
APT::Sandbox::User "root";
pkgCacheGen::ForceEssential ",";
Acquire::Languages "none";
Acquire::Retries "$retries";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
// So that --print-uris shows the digest that the cache is indexed by.
Acquire::ForceHash "SHA256";
EOT
}

# update_lists LOG: refreshes the lists; one unreachable source fails it, for stale lists would go unnoticed.
update_lists() {
  apt-get update --error-on=any "${UPDATE_OPTIONS[@]}" >"$1" 2>&1
}

# unusable_in LOG: prints "URI SUITE" of each source whose server answered that there is no such thing. For an architecture
# other than this machine's own also of those whose index is not the one that was signed: mirrors that nobody uses for
# that architecture stay so for months, while for the own one it is a passing state that must not go unnoticed.
unusable_in() {
  local pattern='^ +404 '
  [[ $ARCH == "$(dpkg --print-architecture)" ]] || pattern+='|^ +(File has unexpected size|Hash Sum mismatch)'
  awk -v pattern="$pattern" '
    /^Err:[0-9]+ / { uri = $2; suite = $3; sub(/\/[^\/]*$/, "", suite); next }
    uri != "" && $0 ~ pattern && !seen[uri, suite]++ { print uri, suite }
    { uri = "" }' "$1"
}

# sources_with_packages: prints "URI SUITE" of each source that has packages for ARCH.
sources_with_packages() {
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | sed 's|/* | |' | sort -u
}

# name_of_source ENTRY: "URI SUITE", as the two functions above print it.
name_of_source() {
  local words
  read -r -a words <<<"$(sed -E 's/^deb +(\[[^]]*\] *)?//' <<<"$1")"
  printf '%s %s\n' "${words[0]%%+(/)}" "${words[1]}"
}

# resolve FILE PACKAGE...: writes what is to be installed for the PACKAGEs, which may be apt's patterns, as lines "sha256 size uri file".
resolve() {
  local file=$1
  shift
  apt-get install --print-uris -qq --yes -- "$@" >"$SCRATCH/uris" 2>"$SCRATCH/resolve.log" || {
    cat "$SCRATCH/resolve.log" >&2
    die "apt cannot install this set of packages for $ARCH"
  }
  sed -nE "s/^'([^']+)' (\S+) ([0-9]+) SHA256:([0-9a-f]{64})$/\4 \3 \1 \2/p" "$SCRATCH/uris" | LC_ALL=C sort -u >"$file"
  [[ $(wc -l <"$file") == $(grep -c "^'" "$SCRATCH/uris") ]] || die 'the repository gives no SHA-256 for some packages'
}

# fetch FILE: downloads what of FILE (see resolve) is not in the cache.
fetch() {
  local sha size uri name missing=() bytes=0
  while read -r sha size uri name; do
    if [[ $(stat --format=%s -- "$CACHE/debs/$sha.deb" 2>/dev/null) == "$size" ]]; then
      touch -- "$CACHE/debs/$sha.deb"
      continue
    fi
    # apt makes no copy of what it gets by file:, and a link would not outlive the source.
    missing+=("${uri/#file:/copy:}" "$SCRATCH/debs/$sha.deb" "SHA256:$sha")
    bytes=$((bytes + size))
  done <"$1"
  if ((${#missing[@]} == 0)); then
    say "all $(wc -l <"$1") packages are in the cache"
    return
  fi
  say "downloading $((${#missing[@]} / 3)) of $(wc -l <"$1") packages, $((bytes / 1048576)) MiB"
  mkdir -- "$SCRATCH/debs"
  /usr/lib/apt/apt-helper download-file "${missing[@]}" || die 'a download failed, also when tried again'
  # Each appears in the cache complete or not at all; another build may have been quicker.
  local target
  for name in "$SCRATCH"/debs/*.deb; do
    target=$CACHE/debs/$(basename "$name")
    cp --reflink=auto -- "$name" "$target.new.$$"
    mv -- "$target.new.$$" "$target"
  done
  rm -rf -- "$SCRATCH/debs"
}

# make_repository FOLDER FILE: a local repository of exactly the packages of FILE. Its index repeats the signed one's
# digests, so apt refuses a file that the cache has let rot.
make_repository() {
  local folder=$1 sha size uri name specs=()
  while read -r sha size uri name; do
    # The file name is <package>_<version>_<architecture>.deb with the colon of an epoch as %3a.
    name=${name%.deb} name=${name//%3a/:}
    [[ $name =~ ^([^_]+)_([^_]+)_([^_]+)$ ]] || die "cannot read the file name '$name.deb'"
    specs+=("${BASH_REMATCH[1]}=${BASH_REMATCH[2]}")
    ln -- "$CACHE/debs/$sha.deb" "$folder/$sha.deb" 2>/dev/null || cp --reflink=auto -- "$CACHE/debs/$sha.deb" "$folder/$sha.deb"
  done <"$2"
  apt-cache show --no-all-versions -- "${specs[@]}" | perl -00 -ne '
    BEGIN { local $/ = "\n"; open my $file, "<", shift or die $!; /^(\S+)/ and $wanted{$1} = 1 while <$file>; }
    my ($sha) = /^SHA256: (\S+)$/m or next;
    next if !delete $wanted{$sha};
    s/^Filename: .*$/Filename: .\/$sha.deb/m;
    # Only the SHA-256 counts; a weaker sum would merely be computed too.
    s/^(?:MD5sum|SHA1|SHA512): .*\n//mg;
    print;
    END { die "no index entry for: @{[sort keys %wanted]}\n" if %wanted }
  ' "$2" >"$folder/Packages"
}

# trim_cache: drops the least recently used packages beyond the limit, which a build that is about to use one downloads
# again, and what builds left that were killed a day ago or earlier.
trim_cache() {
  find "$CACHE" -maxdepth 1 -name 'repository.*' -mmin +1440 -exec rm -rf -- {} +
  find "$CACHE/debs" -name '*.new.*' -mmin +1440 -delete
  find "$CACHE/debs" -type f -printf '%T@ %s %p\0' | LC_ALL=C sort -z -r -n |
    perl -0 -ne 'BEGIN { $left = shift } chomp; /^\S+ (\d+) (.*)$/s or next; $left -= $1; print "$2\0" if $left < 0' "$CACHE_LIMIT_BYTES" |
    xargs -0 --no-run-if-empty rm -f --
}

# as_uri_path PATH: PATH as apt wants it in a URI.
as_uri_path() {
  perl -e '$_ = shift; s{([^A-Za-z0-9/._~+-])}{sprintf "%%%02x", ord $1}ge; print' "$1"
}
