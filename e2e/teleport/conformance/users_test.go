package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/gravitational/teleport/api/client/proto"
	usersv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// lookup is a user who may look users up, and one with traits to be found.
const lookup = `
kind: role
version: v5
metadata: {name: user-reader}
spec: {allow: {logins: [nobody], rules: [{resources: [user], verbs: [list, read]}]}}
---
kind: user
version: v2
metadata: {name: reader}
spec: {roles: [user-reader]}
---
kind: user
version: v2
metadata: {name: rita}
spec: {roles: [bystander], traits: {mattermost: [rita, "@rita"], team: [infra]}}
`

// all takes everything out of a stream.
func all[T any](stream interface{ Recv() (T, error) }, err error) ([]T, error) {
	var taken []T
	for err == nil {
		var one T
		if one, err = stream.Recv(); err == nil {
			taken = append(taken, one)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return taken, err
}

// notFound is what a server says of a user who does not exist.
func notFound(cluster teleport.Cluster, user string) string {
	if teleport.IsOlder(cluster.Version(), 13, 0) {
		return fmt.Sprintf("user %q is not found", user)
	}
	return fmt.Sprintf("user %q not found", user)
}

func TestUsersAreToldWithTheirTraitsToThoseWithTheRule(t *testing.T) {
	onEvery(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		if err := cluster.CreateResources(ctx, teleport.Resources(cluster, lookup)); err != nil {
			t.Fatal(err)
		}
		reader := as(t, ctx, cluster, "reader").Auth()
		found, err := all(reader.GetUsers(ctx, &proto.GetUsersRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(found, func(user *types.UserV2) bool { return user.GetName() == "rita" })
		if at < 0 {
			t.Fatalf("rita is not among %v", found)
		}
		one, err := reader.GetUser(ctx, &proto.GetUserRequest{Name: "rita"})
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range []*types.UserV2{found[at], one} {
			if user.Kind != "user" || user.Version != "v2" || !slices.Equal(user.Spec.Roles, []string{"bystander"}) || !slices.Equal(user.Spec.Traits["mattermost"], []string{"rita", "@rita"}) {
				t.Errorf("got %+v", user)
			}
		}
		_, err = reader.GetUser(ctx, &proto.GetUserRequest{Name: "nobody"})
		says(t, err, codes.NotFound, notFound(cluster, "nobody"))

		// Everybody may read themselves, and nobody the secrets.
		stranger := as(t, ctx, cluster, teleport.Stranger).Auth()
		if one, err = stranger.GetUser(ctx, &proto.GetUserRequest{Name: teleport.Stranger}); err != nil || one.GetName() != teleport.Stranger {
			t.Errorf("got %v, %v", one, err)
		}
		_, err = stranger.GetUser(ctx, &proto.GetUserRequest{Name: "rita"})
		denied(t, cluster, err, "read", "user")
		_, err = all(stranger.GetUsers(ctx, &proto.GetUsersRequest{}))
		denied(t, cluster, err, "list", "user")
		_, err = all(reader.GetUsers(ctx, &proto.GetUsersRequest{WithSecrets: true}))
		says(t, err, codes.PermissionDenied, "this request can be only executed by an admin")
	})
}

func TestUsersHaveNoServiceOfTheirOwnInThisVersion(t *testing.T) {
	onEvery(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		_, err := as(t, ctx, cluster, teleport.PluginUser).Users().ListUsers(ctx, &usersv1.ListUsersRequest{})
		says(t, err, codes.Unimplemented, "unknown service teleport.users.v1.UsersService")
	})
}

func TestEverybodyReadsTheRolesThatTheyHold(t *testing.T) {
	onBoth(t, func(t *testing.T, ctx context.Context, cluster teleport.Cluster) {
		for user, want := range map[string][]string{teleport.PluginUser: {"list", "read", "update"}, teleport.Stranger: nil} {
			roles, err := all(as(t, ctx, cluster, user).Auth().GetCurrentUserRoles(ctx, &emptypb.Empty{}))
			if err != nil || len(roles) != 1 {
				t.Fatalf("%s: got %v, %v", user, roles, err)
			}
			var verbs []string
			for _, rule := range roles[0].Spec.Allow.Rules {
				if slices.Contains(rule.Resources, types.KindAccessRequest) {
					verbs = append(verbs, rule.Verbs...)
				}
			}
			if !slices.Equal(verbs, want) || roles[0].Version != "v5" {
				t.Errorf("%s: got %+v", user, roles[0])
			}
		}
	})
}
