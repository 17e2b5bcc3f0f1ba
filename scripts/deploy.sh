#!/usr/bin/env bash
# Uploads a bundle to a Mattermost server and enables the plugin.
set -euo pipefail
bundle=$1 id=$2
: "${MM_SERVICESETTINGS_SITEURL:?set it to the address of the Mattermost server}"
: "${MM_ADMIN_TOKEN:?set it to a personal access token of a system admin}"
call() { curl --fail-with-body --silent --show-error --header "Authorization: Bearer $MM_ADMIN_TOKEN" "$@"; echo; }
call --form "plugin=@$bundle" --form force=true "$MM_SERVICESETTINGS_SITEURL/api/v4/plugins"
call --request POST "$MM_SERVICESETTINGS_SITEURL/api/v4/plugins/$id/enable"
