#!/usr/bin/env bash
# What it costs that a job can go on elsewhere. Needs root, redis-server, two processors and the build (npx tsc -p tsconfig.build.json).
#
#   bench/resume.sh [a]    a: a step while its checkpoint is copied to another agent
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# Elsewhere the programs would be looked for beside the compiled bench.
export DISTROFARM_BUILT=${DISTROFARM_BUILT:-$root}
bench=${DISTROFARM_BENCH_COMPILED:-$root/dist}/bench/resume
if [ -z "${DISTROFARM_BENCH_COMPILED:-}" ]; then npx tsc -p bench/tsconfig.json; fi

part() {
  case $1 in
    a) node "$bench/replica-slowdown.js" ;;
    *)
      echo "usage: bench/resume.sh [a]" >&2
      exit 2
      ;;
  esac
}

if [ $# -eq 0 ]; then set -- a; fi
for one in "$@"; do part "$one"; done
