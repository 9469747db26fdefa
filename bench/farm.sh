#!/usr/bin/env bash
# What the farm costs, each part one command, figures from one run on one machine. Needs root, redis-server and the build (npx tsc -p
# tsconfig.build.json); part d a package mirror, too.
#
#   bench/farm.sh [a|b|c|d|e]  a: first step of a submission. b: a thousand agents. c: log. d: two agents against one machine. e: who copies what,
#                              of a thousand agents. Default: all
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# Elsewhere the programs would be looked for beside the compiled bench.
export DISTROFARM_BUILT=${DISTROFARM_BUILT:-$root}
bench=${DISTROFARM_BENCH_COMPILED:-$root/dist}/bench/farm
if [ -z "${DISTROFARM_BENCH_COMPILED:-}" ]; then npx tsc -p bench/tsconfig.json; fi
# A thousand agents have three connections each, at both ends.
ulimit -n "$(ulimit -Hn)"

part() {
  case $1 in
    a) node "$bench/first-step.js" ;;
    b) node "$bench/thousand-agents.js" ;;
    c) node "$bench/log-ingest.js" ;;
    d) node "$bench/two-agents.js" ;;
    e) node "$bench/replica-plan.js" ;;
    *)
      echo "usage: bench/farm.sh [a|b|c|d|e]" >&2
      exit 2
      ;;
  esac
}

if [ $# -eq 0 ]; then set -- a b c d e; fi
for one in "$@"; do part "$one"; done
