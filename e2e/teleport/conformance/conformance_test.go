// Package conformance holds the Teleport double to what real Teleport servers say and do: every test runs against both, of
// one version or of several.
package conformance

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/real"
)

// pair is the double and the real server of one version, each with the plugin's role and user and the people.
type pair [2]teleport.Cluster

var (
	// newest is the pair of the newest version.
	newest pair
	// old are the pairs of the versions of the plugin's first days.
	old []pair
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		defer func() {
			for _, cluster := range slices.Concat(newest[:], slices.Concat(asSlices(old)...)) {
				if cluster != nil {
					cluster.Close()
				}
			}
		}()
		if err := startAll(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func asSlices(pairs []pair) (slices [][]teleport.Cluster) {
	for _, pair := range pairs {
		slices = append(slices, pair[:])
	}
	return slices
}

func startAll(ctx context.Context) error {
	server, err := real.Start(ctx)
	if err != nil {
		return err
	}
	if newest, err = pairOf(ctx, server); err != nil {
		return err
	}
	for _, version := range real.OldVersions() {
		server, err := real.StartOld(ctx, version)
		if err != nil {
			return err
		}
		made, err := pairOf(ctx, server)
		old = append(old, made)
		if err != nil {
			return err
		}
	}
	return nil
}

// pairOf makes a double as the same version, so that both can be held to the same words.
func pairOf(ctx context.Context, server *real.Server) (pair, error) {
	fmt.Printf("    progress: a real Teleport %s and the double\n", server.Version())
	made := pair{nil, server}
	like, err := double.New(ctx, double.Options{Version: server.Version()})
	if err != nil {
		return made, err
	}
	made[0] = like
	for _, cluster := range made {
		if err := teleport.Populate(ctx, cluster); err != nil {
			return made, err
		}
	}
	return made, nil
}

// onBoth runs a test against the double and the real server of the newest version.
func onBoth(t *testing.T, test func(t *testing.T, ctx context.Context, cluster teleport.Cluster)) {
	onPair(t, newest, test)
}

// onOld runs a test against the double and the real server of each old version.
func onOld(t *testing.T, test func(t *testing.T, ctx context.Context, cluster teleport.Cluster)) {
	for _, pair := range old {
		t.Run(pair[0].Version(), func(t *testing.T) { onPair(t, pair, test) })
	}
}

// onEvery runs a test against the double and the real server of each version.
func onEvery(t *testing.T, test func(t *testing.T, ctx context.Context, cluster teleport.Cluster)) {
	onBoth(t, test)
	onOld(t, test)
}

func onPair(t *testing.T, pair pair, test func(t *testing.T, ctx context.Context, cluster teleport.Cluster)) {
	for _, cluster := range pair {
		t.Run(cluster.Kind(), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			test(t, ctx, cluster)
		})
	}
}

// other is the other one of a cluster's pair.
func other(cluster teleport.Cluster) teleport.Cluster {
	for _, pair := range append([]pair{newest}, old...) {
		for at, one := range pair {
			if one == cluster {
				return pair[1-at]
			}
		}
	}
	return nil
}

// identity is a user of a cluster.
type identity struct {
	cluster teleport.Cluster
	user    string
}

// signed are the credentials that were signed so far: tctl takes its time.
var signed = map[identity]*teleport.Credentials{}

// as makes a client of a user.
func as(t *testing.T, ctx context.Context, cluster teleport.Cluster, user string) *teleport.Client {
	t.Helper()
	who := identity{cluster, user}
	if signed[who] == nil {
		made, err := cluster.Sign(ctx, user, 0)
		if err != nil {
			t.Fatal(err)
		}
		signed[who] = made
	}
	client, err := teleport.DialWith(cluster, user, signed[who])
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
