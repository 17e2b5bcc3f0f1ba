#!/usr/bin/env bash
# Shortens the output of verbose Go tests to what somebody who waits wants to see: each finished test, and all of a failure.
set -uo pipefail
log=$(mktemp)
tee "$log" | grep --line-buffered -E '^(=== PROGRESS|--- |    --- |ok |FAIL|panic:|\?|\s+progress:)'
if grep -qE '^(FAIL|panic:)' "$log"; then
  echo "==> The whole output:"
  cat "$log"
  rm -f "$log"
  exit 1
fi
rm -f "$log"
