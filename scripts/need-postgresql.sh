#!/usr/bin/env bash
# Installs Debian's PostgreSQL where no PostgreSQL server is there. Mattermost needs one for the tests and the demo.
set -euo pipefail
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && exit 0
command -v initdb >/dev/null 2>&1 && exit 0
command -v apt-get >/dev/null || { echo "PostgreSQL is missing, and this is not Debian: install PostgreSQL 13 or later" >&2; exit 1; }
echo "==> Installing PostgreSQL from Debian's packages"
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends postgresql
