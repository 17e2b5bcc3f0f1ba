module github.com/teleport-access/mattermost-plugin-teleport-access/server-shim

go 1.26.3

require (
	connectrpc.com/connect v1.19.1 // indirect
	github.com/mattermost/mattermost/server/public v0.4.3 // indirect
	github.com/tetratelabs/wazero v1.12.0 // indirect
	golang.org/x/net v0.54.0 // indirect
	golang.org/x/sys v0.44.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)
