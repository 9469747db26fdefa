#!/usr/bin/env bash
# Goes through schedules of a simulated farm: see docs/operations.md, "Faults on purpose". Needs nothing but the npm packages.
#
#   test/simulation/simulate.sh [--runs N] [--seed S]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
npx tsc -p test/simulation/tsconfig.json
exec node dist/test/simulation/main.js "$@"
