// Package conformance holds the Teleport double to what a real Teleport server says and does: every test runs against
// both.
package conformance

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/real"
)

// clusters are the two, each with the plugin's role and user and the people.
var clusters []teleport.Cluster

func TestMain(m *testing.M) {
	os.Exit(func() int {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		fmt.Println("    progress: starting a real Teleport and the double")
		server, err := real.Start(ctx)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer server.Close()
		// The double as the same version, so that both can be held to the same words.
		like, err := double.New(ctx, double.Options{Version: server.Version()})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer like.Close()
		clusters = []teleport.Cluster{like, server}
		for _, cluster := range clusters {
			if err := teleport.Populate(ctx, cluster); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
		return m.Run()
	}())
}

// onBoth runs a test against the double and the real server.
func onBoth(t *testing.T, test func(t *testing.T, ctx context.Context, cluster teleport.Cluster)) {
	for _, cluster := range clusters {
		t.Run(cluster.Kind(), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			test(t, ctx, cluster)
		})
	}
}

// as makes a client of a user.
func as(t *testing.T, ctx context.Context, cluster teleport.Cluster, user string) *teleport.Client {
	t.Helper()
	client, err := teleport.Dial(ctx, cluster, user)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// file files a request as the requester.
func file(t *testing.T, ctx context.Context, cluster teleport.Cluster) string {
	t.Helper()
	id, err := as(t, ctx, cluster, teleport.Requester).File(ctx, teleport.Wish{Roles: []string{teleport.RequestedRole}, Reason: "because"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}
