module github.com/teleport-access/mattermost-plugin-teleport-access/e2e

go 1.26.3

require (
	github.com/bufbuild/protocompile v0.14.1
	github.com/gravitational/teleport/api v0.0.0-20250128104452-ecabf6b767ac
	github.com/lib/pq v1.12.3
	github.com/mattermost/mattermost/server/public v0.4.3
	google.golang.org/grpc v1.81.0
)
