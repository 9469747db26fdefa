#!/usr/bin/env bash
# Sets this machine up and runs every test. The last line reads "N passed, M failed". Needs root (or sudo).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || {
    echo 'test: root is needed for namespaces, mounts and ZFS; run this as root, or install sudo' >&2
    exit 69
  }
  exec sudo env "PATH=$PATH" ${CI:+"CI=$CI"} "$0" "$@"
fi
cd "$root"
scripts/setup.sh test

work=$(mktemp -d /var/tmp/distrofarm-test.XXXXXX)
flow=
cleanUp() {
  # Its processes are a group of their own, so that nothing of it outlives an interrupted run.
  if [ -n "$flow" ]; then kill -- "-$flow" 2> /dev/null || true; fi
  rm -rf --one-file-system "$work"
}
trap cleanUp EXIT
trap 'exit 130' INT TERM
export DC_TEST_MEDIA=$work/media
mkdir "$DC_TEST_MEDIA"

passed=0
failed=0

# A check without a test runner of its own counts as one test.
check() {
  echo "== $1 (at ${SECONDS} s)"
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# A jest project; $1 is its name, the rest runs before jest's own arguments.
run_jest() {
  local project=$1
  shift
  echo "== $project tests (at ${SECONDS} s)"
  "$@" npm run --silent jest -- --selectProjects "$project" --json --outputFile "$work/$project.json" || true
}

# The same for a project whose tests kill and restart servers against the clock: a file that fails is run once more, and said to be.
run_twice() {
  local project=$1 again=()
  run_jest "$project"
  mapfile -t again < <(node -e '
    const { testResults } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    for (const { status, name } of testResults) if (status === "failed") console.log(name);
  ' "$work/$project.json" 2> /dev/null)
  if [ ${#again[@]} -eq 0 ]; then return; fi
  printf '== once more, since it failed: %s\n' "${again[@]}"
  npm run --silent jest -- --selectProjects "$project" --json --outputFile "$work/$project-again.json" --runTestsByPath "${again[@]}" || true
}

# Counts the tests of a run; of a file that a second run has too, that one's count.
count_tests() {
  local counts
  counts=$(node -e '
    const { existsSync, readFileSync } = require("fs");
    const files = new Map();
    for (const path of process.argv.slice(1).filter((each, index) => index === 0 || existsSync(each)))
      for (const file of JSON.parse(readFileSync(path, "utf8")).testResults) files.set(file.name, file);
    const tests = [...files.values()].flatMap((file) => file.assertionResults);
    const broken = [...files.values()].filter((file) => file.status === "failed" && file.assertionResults.length === 0);
    const passed = tests.filter(({ status }) => status === "passed").length;
    const failed = tests.filter(({ status }) => status === "failed").length;
    console.log(passed, failed + broken.length);
  ' "$@" 2> /dev/null) || counts='0 1'
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
}

# Where the time goes: the files that took longest.
show_slowest() {
  echo '== slowest files'
  node -e '
    const { existsSync, readFileSync } = require("fs");
    const { relative } = require("path");
    const files = process.argv.slice(1).filter(existsSync).flatMap((path) => JSON.parse(readFileSync(path, "utf8")).testResults);
    const seconds = ({ startTime, endTime }) => Math.round((endTime - startTime) / 1000);
    for (const file of files.sort((a, b) => seconds(b) - seconds(a)).slice(0, 15))
      console.log(seconds(file) + " s", relative(".", file.name));
  ' "$work"/*.json || true
}

# Two tracks side by side, since most tests wait for one process at a time. What the one prints comes when the other has ended.
set -m
run_twice flow > "$work/flow.log" 2>&1 &
flow=$!
set +m
check 'types' npm run --silent check:types
check 'lint' npm run --silent check:lint
check 'import rules' npm run --silent check:imports
check 'shell scripts' npm run --silent check:shell
run_jest unit
run_jest platform scripts/with-zfs.sh
run_jest media scripts/with-zfs.sh
run_jest boot
run_jest browser
wait "$flow" || true
flow=
cat "$work/flow.log"
show_slowest
for project in unit flow platform media boot browser; do count_tests "$work/$project.json" "$work/$project-again.json"; done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
