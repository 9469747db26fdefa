#!/bin/sh
# `distrofarm` as the farm's first admin, in the coordinator's container: docker compose exec coordinator deploy/as-admin.sh agents enrol
set -eu

data=${DISTROFARM_DATA:-/var/lib/distrofarm-coordinator}
DISTROFARM_TOKEN=$(cat "$data/admin-token")
DISTROFARM_URL=https://localhost:7455
DISTROFARM_CA=$data/tls/farm-ca.pem
export DISTROFARM_TOKEN DISTROFARM_URL DISTROFARM_CA
exec distrofarm "$@"
