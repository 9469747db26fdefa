#!/usr/bin/env bash
# What it costs to go on on another agent, each part one command, figures from one run on one machine. Needs root, redis-server and zfs-fuse or a
# kernel with ZFS; part d a package mirror, part e two processors, too.
#
#   bench/resume.sh [a|c|d|e]    a: a checkpoint's transfer against bare send and receive, full and with 1 % changed. c: from an agent's death to its job
#                                running elsewhere. d: debian-live, going on at each step against building again. e: a step while its checkpoint is
#                                copied to another agent. Default: all
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# Elsewhere the programs would be looked for beside the compiled bench.
export DISTROFARM_BUILT=${DISTROFARM_BUILT:-$root}
bench=${DISTROFARM_BENCH_COMPILED:-$root/dist}/bench/resume
if [ -z "${DISTROFARM_BENCH_COMPILED:-}" ]; then npx tsc -p bench/tsconfig.json; fi

part() {
  case $1 in
    a) scripts/with-zfs.sh node "$bench/transfer.js" ;;
    c) node "$bench/detection.js" ;;
    d) DC_TEST_POOL_SIZE=$((12 << 30)) scripts/with-zfs.sh node "$bench/resume-points.js" ;;
    e) node "$bench/replica-slowdown.js" ;;
    *)
      echo "usage: bench/resume.sh [a|c|d|e]" >&2
      exit 2
      ;;
  esac
}

if [ $# -eq 0 ]; then set -- a c d e; fi
for one in "$@"; do part "$one"; done
