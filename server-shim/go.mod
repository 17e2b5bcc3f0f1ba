module github.com/teleport-access/mattermost-plugin-teleport-access/server-shim

go 1.26.3
