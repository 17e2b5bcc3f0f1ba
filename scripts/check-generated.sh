#!/usr/bin/env bash
# Fails where the Go code that is kept in the repository is not what the contracts in proto/ generate.
set -euo pipefail
cd "$(dirname "$0")/.."
printf '\033[1m==> Generated code is up to date\033[0m\n'
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
cp -r server-shim/gen "$kept/gen"
server-shim/generate.sh
if ! diff -r "$kept/gen" server-shim/gen; then
  echo "server-shim/gen was stale: it has just been generated again, commit it (make generate)" >&2
  exit 1
fi
