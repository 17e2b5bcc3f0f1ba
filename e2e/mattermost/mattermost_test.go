package mattermost

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/postgres"
)

func TestAServerKeepsUsersAndPostsOverARestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	fmt.Println("    progress: starting PostgreSQL and Mattermost")
	database, err := postgres.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	begin := time.Now()
	server, err := Start(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	t.Logf("first start %s", time.Since(begin).Round(time.Millisecond))
	account, _, err := server.Admin.Client.GetMe(ctx, "")
	if err != nil || !account.IsSystemAdmin() {
		t.Fatalf("the first user is no system admin: %v", err)
	}
	team, err := server.CreateTeam(ctx, "ops")
	if err != nil {
		t.Fatal(err)
	}
	bob, err := server.CreateUser(ctx, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Join(ctx, team, bob); err != nil {
		t.Fatal(err)
	}
	channel, err := server.CreateChannel(ctx, team, "requests", bob)
	if err != nil {
		t.Fatal(err)
	}
	for name, stop := range map[string]func(){"stop": server.Stop, "kill": server.Kill} {
		begin = time.Now()
		stop()
		if err := server.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s and start %s", name, time.Since(begin).Round(time.Millisecond))
		// This built-in command posts what it is given.
		if _, err := bob.Command(ctx, channel.Id, "/shrug after a "+name); err != nil {
			t.Fatal(err)
		}
	}
	begin = time.Now()
	second, err := server.StartBeside(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	t.Logf("second server on the same database %s", time.Since(begin).Round(time.Millisecond))
	for _, one := range []*Server{server, second} {
		posts, err := one.Posts(ctx, channel.Id)
		if err != nil {
			t.Fatal(err)
		}
		if len(posts) != 2 || posts[0].UserId != bob.ID {
			t.Errorf("got %d posts, want bob's two", len(posts))
		}
	}
}
