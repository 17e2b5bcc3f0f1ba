#!/usr/bin/env bash
# Installs Debian's Chromium where there is none. The browser tests drive it; CHROMIUM names another one.
set -euo pipefail
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] && exit 0
command -v apt-get >/dev/null || { echo "Chromium is missing, and this is not Debian: install it and name it in CHROMIUM" >&2; exit 1; }
echo "==> Installing Chromium from Debian's packages"
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium fonts-liberation
