#!/usr/bin/env bash
# Makes gen/ from the contracts in ../proto again, with the tools that tools/go.mod pins. The result is committed; CI
# runs this and fails where it differs.
set -euo pipefail
cd "$(dirname "$0")"
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
# The generator works beside gen/ first, so that a failure leaves what was there.
go tool -modfile=tools/go.mod buf generate --template buf.gen.yaml --output "$new"
rm -rf gen
mv "$new/gen" gen
