#!/bin/sh
# Registers the namespace and Longtake's search attributes. Safe to run again.
set -eu

# By address: in a container the Temporal CLI can time out on the service's bare name
# (temporalio/samples-server, issue 136).
host=${TEMPORAL_ADDRESS%:*}
ip=$(getent hosts "$host" | awk 'NR == 1 {print $1}')
export TEMPORAL_ADDRESS="${ip:-$host}:${TEMPORAL_ADDRESS##*:}"
namespace=$TEMPORAL_NAMESPACE

try() { # a new namespace takes some seconds to be known everywhere
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 20 ] || return 1
    sleep 3
  done
}

try temporal operator cluster health
temporal operator namespace describe -n "$namespace" >/dev/null 2>&1 ||
  try temporal operator namespace create -n "$namespace" --retention "$RETENTION"
for name in LongtakeKind LongtakeTenant LongtakeStage LongtakePreset LongtakeError; do
  try temporal operator search-attribute create -n "$namespace" --name "$name" --type Keyword
done
