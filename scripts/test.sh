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
trap 'rm -rf --one-file-system "$work"' EXIT
export DC_TEST_MEDIA=$work/media
mkdir "$DC_TEST_MEDIA"

passed=0
failed=0

# A check without a test runner of its own counts as one test.
check() {
  echo "== $1"
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# A jest project; $1 is its name, the rest runs before jest's own arguments.
jest() {
  local project=$1 counts
  shift
  echo "== $project tests"
  "$@" npm run --silent jest -- --selectProjects "$project" --json --outputFile "$work/$project.json" || true
  counts=$(node -e '
    const result = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    const broken = result.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
    console.log(result.numPassedTests, result.numFailedTests + broken);
  ' "$work/$project.json" 2> /dev/null) || counts='0 1'
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
}

check 'types' npm run --silent check:types
check 'lint' npm run --silent check:lint
check 'import rules' npm run --silent check:imports
check 'shell scripts' npm run --silent check:shell
jest unit
jest flow
jest platform scripts/with-zfs.sh
jest media scripts/with-zfs.sh
jest boot
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
