#!/usr/bin/env bash
# Sets this machine up and runs every test. The last line reads "N passed, M failed". Needs root (or sudo).
# DC_TEST_DEEP=1 tries each combination of what is otherwise tried once of each kind.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || {
    echo 'test: root is needed for namespaces, mounts and ZFS; run this as root, or install sudo' >&2
    exit 69
  }
  exec sudo env "PATH=$PATH" ${CI:+"CI=$CI"} ${DC_TEST_DEEP:+"DC_TEST_DEEP=$DC_TEST_DEEP"} "$0" "$@"
fi
cd "$root"
scripts/setup.sh test

work=$(mktemp -d /var/tmp/distrofarm-test.XXXXXX)
tracks=()
clean_up() {
  local track
  # Each is a group of its own, so that nothing of it outlives an interrupted run.
  for track in "${tracks[@]}"; do kill -- "-$track" 2> /dev/null || true; done
  wait || true
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
export DC_TEST_MEDIA=$work/media
mkdir "$DC_TEST_MEDIA" "$work/results"

# All there is to do, what takes longest first, so that nothing long is left over when the rest is done.
list_pieces() {
  local long=(images platform/{checkpoint-transfers,zfs-areas,distro-const-reuse,zfs-snapshot-store,distro-const} unit checks)
  printf '%s\n' "${long[@]}"
  printf '%s\n' test/{platform,flow,browser}/*.spec.ts | sed 's|^test/||; s|\.spec\.ts$||' | grep -vxFf <(printf '%s\n' "${long[@]}")
}

# Which results a piece has.
results_of() {
  case $1 in
    checks) printf '%s\n' types lint imports shell ;;
    images) printf '%s\n' media boot ;;
    *) echo "${1/\//-}" ;;
  esac
}

run_piece() {
  local each
  case $1 in
    checks) for each in $(results_of checks); do run_check "$each"; done ;;
    images) for each in $(results_of images); do run_jest "$each" "$each"; done ;;
    flow/*) run_twice "$1" ;;
    */*) run_file "$1" ;;
    *) run_jest "$1" "$1" ;;
  esac
}

# A check without a test runner of its own counts as one test.
run_check() {
  local state=passed begin=$EPOCHREALTIME
  npm run --silent "check:$1" || state=failed
  write_result "$1" "$state" "${begin/./}" "${EPOCHREALTIME/./}"
}

# As jest writes them; the times are in microseconds.
write_result() {
  printf '{"testResults":[{"name":"%s","status":"%s","startTime":%d,"endTime":%d,"assertionResults":[{"status":"%s"}]}]}\n' \
    "$root/$1" "$2" "$(($3 / 1000))" "$(($4 / 1000))" "$2" > "$work/results/$1.json"
}

# Runs tests of a jest project; $1 names their results, what is behind the project is for jest.
run_jest() {
  local results=$1 project=$2 with=()
  shift 2
  case $project in platform | media) with=(scripts/with-zfs.sh) ;; esac
  "${with[@]}" npm run --silent jest -- --selectProjects "$project" --json --outputFile "$work/results/$results.json" "$@" || true
}

# $1 is the file, as project/name; $2 is added to the name of its results.
run_file() {
  run_jest "$(results_of "$1")${2:-}" "${1%/*}" --runTestsByPath "test/$1.spec.ts"
}

# For tests that kill and restart servers against the clock: a file that fails is run once more, and said to be.
run_twice() {
  run_file "$1"
  if count_tests "$work/results/$(results_of "$1").json" | grep -q ' 0$'; then return; fi
  echo "== once more, since it failed: $1"
  run_file "$1" -again
}

# Prints how many tests of these results passed, and how many failed; a file that came to no test failed.
count_tests() {
  node -e '
    const { readFileSync } = require("fs");
    const files = process.argv.slice(1).flatMap((path) => JSON.parse(readFileSync(path, "utf8")).testResults);
    const tests = files.flatMap((file) => file.assertionResults);
    const broken = files.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
    const count = (wanted) => tests.filter(({ status }) => status === wanted).length;
    console.log(count("passed"), count("failed") + broken.length);
  ' "$@"
}

# Where the time goes: the files that took longest.
show_slowest() {
  echo '== slowest files'
  node -e '
    const { readFileSync } = require("fs");
    const { relative } = require("path");
    const files = process.argv.slice(1).flatMap((path) => JSON.parse(readFileSync(path, "utf8")).testResults);
    const seconds = ({ startTime, endTime }) => Math.round((endTime - startTime) / 1000);
    for (const file of files.sort((a, b) => seconds(b) - seconds(a)).slice(0, 20))
      console.log(seconds(file) + " s", relative(".", file.name));
  ' "$work"/results/*.json || true
}

# Takes piece after piece from the queue that all tracks share; what a piece prints comes when it has ended.
run_track() {
  local piece log=$work/log.$1
  exec 3> "$work/lock"
  while flock 3 && IFS= read -r piece <&4; do
    flock --unlock 3
    { echo "== $piece (from ${SECONDS} s)" && run_piece "$piece"; } > "$log" 2>&1 < /dev/null 3>&- 4<&- || true
    flock 3
    cat "$log"
    echo "== $piece ended (at ${SECONDS} s)"
    flock --unlock 3
  done
}

# A piece that is never run, or is cut short, has failed.
list_pieces > "$work/pieces"
while IFS= read -r piece; do
  for each in $(results_of "$piece"); do write_result "$each" failed 0 0; done
done < "$work/pieces"

# More tracks than processors, since most tests wait for one process at a time.
exec 4< "$work/pieces"
set -m
for track in 1 2 3; do
  run_track "$track" &
  tracks+=($!)
done
set +m
wait "${tracks[@]}" || true
tracks=()
show_slowest
passed=0
failed=0
while IFS= read -r piece; do
  for each in $(results_of "$piece"); do
    results=$work/results/$each.json
    [ ! -e "$work/results/$each-again.json" ] || results=$work/results/$each-again.json
    counts=$(count_tests "$results" 2> /dev/null) || counts='0 1'
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
  done
done < "$work/pieces"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
