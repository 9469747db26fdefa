#!/usr/bin/env bash
# What variants and reuse cost, and what they save; each part one command, figures from one run on one machine. Needs root, redis-server and the build
# (npx tsc -p tsconfig.build.json); part a a package mirror, too, part d's second half zfs-fuse or a kernel with ZFS.
#
#   bench/variants.sh [a|c|d]    a: eight images of a family against one, and (b) the same once more, when nothing has changed. c: what becomes of 1,000
#                                variants, planned against 100,000 checkpoints. d: a step beside the collection of 1,000 checkpoints, on folders and on
#                                ZFS. Default: all
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# Elsewhere the programs would be looked for beside the compiled bench.
export DISTROFARM_BUILT=${DISTROFARM_BUILT:-$root}
bench=${DISTROFARM_BENCH_COMPILED:-$root/dist}/bench/variants
if [ -z "${DISTROFARM_BENCH_COMPILED:-}" ]; then npx tsc -p bench/tsconfig.json; fi

part() {
  case $1 in
    a) node "$bench/family.js" ;;
    c) node "$bench/planning.js" ;;
    d)
      node "$bench/collection.js"
      scripts/with-zfs.sh node "$bench/collection.js"
      ;;
    *)
      echo "usage: bench/variants.sh [a|c|d]" >&2
      exit 2
      ;;
  esac
}

if [ $# -eq 0 ]; then set -- a c d; fi
for one in "$@"; do part "$one"; done
