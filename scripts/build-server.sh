#!/usr/bin/env bash
# Builds one of the real servers (mattermost, mattermost-9.9, teleport, teleport-4.3…) into build/bin. The binary is kept in the user's
# cache under a hash of all that goes into it, so that no machine builds the same server twice.
set -euo pipefail
cd "$(dirname "$0")/.."
server=$1
source=e2e/$server-server
flags='-s -w'
# One of Teleport's dependencies reaches for a symbol of the Go runtime.
case $server in teleport*) flags="$flags -checklinkname=0" ;; esac
hash=$({ go version; echo "$flags"; cat "$source"/main.go "$source"/go.mod "$source"/go.sum; } | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/teleport-access/servers
binary=$cache/$server-server-$hash
if [ ! -x "$binary" ]; then
  case $server in
    teleport) echo "==> Building Teleport 13.3.8 from its Go module: about 8 minutes the first time, 400 MB of downloads" ;;
    teleport-*) echo "==> Building Teleport ${server#teleport-} from its Go module: about 2 minutes the first time" ;;
    mattermost) echo "==> Building Mattermost 11.4.0 from its Go module: about 5 minutes the first time" ;;
    mattermost-9.9) echo "==> Building Mattermost 9.9.0 from its Go module: about 5 minutes the first time" ;;
  esac
  mkdir -p "$cache"
  (while sleep 30; do echo "    … still building the $server server (${SECONDS}s)"; done) &
  heartbeat=$!
  trap 'kill $heartbeat 2>/dev/null || true' EXIT
  (cd "$source" && CGO_ENABLED=1 go build -ldflags="$flags" -o "$binary.new" .)
  mv "$binary.new" "$binary"
  # Older builds of the same server are of no more use.
  find "$cache" -name "$server-server-*" ! -name "$(basename "$binary")" -delete
fi
mkdir -p build/bin
ln -sf "$binary" "build/bin/$server-server"
