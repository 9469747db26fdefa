#!/usr/bin/env bash
# Breaks a farm on purpose: see docs/operations.md, "Faults on purpose". Needs root, redis-server, ip(8), nsenter, xorriso, and the build (npm run build).
#
#   test/chaos/chaos.sh [--runs N] [--seed S] [--faults name,…] [--certify] [--list] …
#
# Everything happens in namespaces of its own: no process, mount or link of the farm's outlives this command, however it ends.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
# Elsewhere the programs would be looked for beside the compiled harness.
export DISTROFARM_BUILT=${DISTROFARM_BUILT:-$root}
# Types are checked by npm run check:types.
npx tsc -p test/chaos/tsconfig.json --noCheck

# scripts/with-zfs.sh has mounts and processes apart already, and the ZFS daemon mounts there.
apart=(--mount --pid --fork --kill-child=KILL --mount-proc)
if [ -n "${DC_TEST_POOL:-}" ]; then apart=(); fi

work=$(mktemp -d)
# PostgreSQL does not run as root, and has a folder of its own in there.
chmod 711 "$work"
running=
# shellcheck disable=SC2317  # called by the trap
clean_up() {
  if [ -n "$running" ]; then
    kill -KILL "$running" 2> /dev/null || true
    wait "$running" 2> /dev/null || true
  fi
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# In the background, because a shell notices a signal only when what is in front has ended.
# shellcheck disable=SC2016  # for the shell inside
TMPDIR=$work unshare --net "${apart[@]}" \
  bash -c 'mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up && exec node "$0" "$@"' \
  "$root/dist/test/chaos/main.js" "$@" &
running=$!
status=0
wait "$running" || status=$?
running=
exit "$status"
