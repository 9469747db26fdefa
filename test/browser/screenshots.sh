#!/usr/bin/env bash
# Pictures of every page of a small farm in the middle of its day: light, dark, and as wide as a phone. Needs root, redis-server, Chromium, and the
# build (npm run build).
#
#   test/browser/screenshots.sh [folder]
set -euo pipefail

folder=$(realpath -m "${1:-screenshots}")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
# Elsewhere the programs would be looked for beside the compiled harness.
export DISTROFARM_BUILT=${DISTROFARM_BUILT:-$root}
npx tsc -p test/browser/tsconfig.json
exec node dist/test/browser/screenshots.js "$folder"
