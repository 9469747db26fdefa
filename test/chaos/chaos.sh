#!/usr/bin/env bash
# Breaks a farm on purpose: see docs/operations.md, "Faults on purpose". Needs root, redis-server, ip(8), xorriso, and the build (npm run build).
#
#   test/chaos/chaos.sh [--runs N] [--seed S] [--faults name,…] [--certify] [--list] …
#
# Everything happens in namespaces of its own: no process, mount or link of the farm's outlives this command, however it ends.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
# Elsewhere the programs would be looked for beside the compiled harness.
export DISTROFARM_BUILT=${DISTROFARM_BUILT:-$root}
npx tsc -p test/chaos/tsconfig.json
# shellcheck disable=SC2016  # for the shell inside
exec unshare --net --mount --pid --fork --kill-child=KILL --mount-proc \
  bash -c 'mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up && exec node "$0" "$@"' \
  "$root/dist/test/chaos/main.js" "$@"
