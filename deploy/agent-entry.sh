#!/bin/sh
# Starts the agent in its container. The first time it enrols it, with ENROLMENT_TOKEN and CA_FINGERPRINT (of `distrofarm agents enrol`).
set -eu

state=${DISTROFARM_AGENT_STATE:-/var/lib/distrofarm-agent}
if [ ! -e "$state/identity.json" ]; then
  if [ -z "${ENROLMENT_TOKEN:-}" ]; then
    echo 'This agent is not enrolled. Start it once with ENROLMENT_TOKEN and CA_FINGERPRINT, of "distrofarm agents enrol".' >&2
    exit 78
  fi
  printf '%s\n' "$ENROLMENT_TOKEN" |
    distrofarm-agent enrol --coordinator "$DISTROFARM_COORDINATOR" --token - \
      ${CA_FINGERPRINT:+--ca-fingerprint "$CA_FINGERPRINT"}
fi
unset ENROLMENT_TOKEN CA_FINGERPRINT
exec distrofarm-agent run
