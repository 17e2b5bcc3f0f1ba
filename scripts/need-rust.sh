#!/usr/bin/env bash
# Installs the Rust toolchain, components and targets that rust-toolchain.toml names, where they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v rustup >/dev/null || { echo "rustup is missing: install Rust with rustup first" >&2; exit 1; }
channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
mapfile -t components < <(sed -n 's/^components = \[\(.*\)\]/\1/p' rust-toolchain.toml | tr -d '" ' | tr ',' '\n')
mapfile -t targets < <(sed -n 's/^targets = \[\(.*\)\]/\1/p' rust-toolchain.toml | tr -d '" ' | tr ',' '\n')
have=$(rustup component list --toolchain "$channel" --installed 2>/dev/null || true)
missing=
for part in "${components[@]/%/-}" "${targets[@]/#/rust-std-}"; do
  grep -q "^$part" <<<"$have" || missing=1
done
if [ -n "$missing" ]; then
  echo "==> Installing Rust $channel with ${components[*]} for ${targets[*]}"
  rustup toolchain install "$channel" --profile minimal \
    $(printf -- '--component %s ' "${components[@]}") $(printf -- '--target %s ' "${targets[@]}")
fi
