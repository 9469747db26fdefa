#!/usr/bin/env bash
# What the operators' page costs whoever looks at it: Chromium against a coordinator, each part one command, figures from one run on one machine. Needs root,
# redis-server, Chromium, and the build (npm run build).
#
#   bench/web.sh [a|b|d]    a: the first load. b: a build of 1,000 variants of 20 steps that 500 events a second change, and (c) how long an event takes from the
#                           agent to the page. d: a log of 200 MB. Default: all
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# Elsewhere the programs would be looked for beside the compiled bench.
export DISTROFARM_BUILT=${DISTROFARM_BUILT:-$root}
bench=${DISTROFARM_BENCH_COMPILED:-$root/dist}/bench/web
if [ -z "${DISTROFARM_BENCH_COMPILED:-}" ]; then npx tsc -p bench/tsconfig.json; fi

part() {
  case $1 in
    a) node "$bench/first-load.js" ;;
    b) node "$bench/many-variants.js" ;;
    d) node "$bench/large-log.js" ;;
    *)
      echo "usage: bench/web.sh [a|b|d]" >&2
      exit 2
      ;;
  esac
}

if [ $# -eq 0 ]; then set -- a b d; fi
for one in "$@"; do part "$one"; done
