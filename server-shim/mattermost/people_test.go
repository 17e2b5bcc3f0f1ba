package mattermost

import (
	"context"
	"testing"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

func TestAGroupSaysWhereItsMembersComeFrom(t *testing.T) {
	name := "sre"
	for source, synced := range map[model.GroupSource]bool{
		model.GroupSourceLdap: true, "plugin_com.example": true, model.GroupSourceCustom: false, "": false,
	} {
		api, c := serve(t)
		group := &model.Group{Id: "id", Name: &name, DisplayName: "SRE", Source: source, DeleteAt: 1}
		api.On("GetGroup", "id").Return(group, nil)
		api.On("GetGroupByName", "sre").Return(group, nil)
		for _, by := range []*pb.GetGroupRequest{
			{By: &pb.GetGroupRequest_Id{Id: "id"}}, {By: &pb.GetGroupRequest_Name{Name: "sre"}},
		} {
			answer, err := c.GetGroup(context.Background(), request(by))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, answer.Msg, &pb.Group{
				Id: "id", Name: "sre", DisplayName: "SRE", Source: string(source), IsSynced: synced, DeleteAt: 1,
			})
		}
	}
	_, c := serve(t)
	if _, err := c.GetGroup(context.Background(), request(&pb.GetGroupRequest{})); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("none: %v", err)
	}
}

func TestATeamIsAnsweredWithItsAddress(t *testing.T) {
	api, c := serve(t)
	api.On("GetTeam", "team").Return(&model.Team{Id: "team", Name: "ops", DisplayName: "Operations", DeleteAt: 1}, nil)
	api.On("GetTeam", "none").Return(nil, appError(404))
	answer, err := c.GetTeam(context.Background(), request(&pb.GetTeamRequest{Id: "team"}))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, answer.Msg, &pb.Team{Id: "team", Name: "ops", DisplayName: "Operations", DeleteAt: 1})
	if _, err := c.GetTeam(context.Background(), request(&pb.GetTeamRequest{Id: "none"})); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("none: %v", err)
	}
}

func TestMembersAreListedInPages(t *testing.T) {
	api, c := serve(t)
	users := []*model.User{{Id: "a", Username: "alice"}, {Id: "b", Username: "bob", DeleteAt: 1}}
	want := &pb.ListUsersResponse{Users: []*pb.User{{Id: "a", Username: "alice"}, {Id: "b", Username: "bob", DeleteAt: 1}}}
	api.On("GetGroupMemberUsers", "group", 3, 200).Return(users, nil)
	api.On("GetUsersInChannel", "channel", "username", 3, 200).Return(users, nil)
	api.On("GetGroupMemberUsers", "unlucky", 0, 1).Return(nil, appError(500))
	ofGroup := func(id string, page, perPage int32) (*connect.Response[pb.ListUsersResponse], error) {
		return c.ListGroupUsers(context.Background(),
			request(&pb.ListGroupUsersRequest{GroupId: id, Page: page, PerPage: perPage}))
	}
	ofChannel := func(id string, page, perPage int32) (*connect.Response[pb.ListUsersResponse], error) {
		return c.ListChannelUsers(context.Background(),
			request(&pb.ListChannelUsersRequest{ChannelId: id, Page: page, PerPage: perPage}))
	}
	for id, list := range map[string]func(string, int32, int32) (*connect.Response[pb.ListUsersResponse], error){
		"group": ofGroup, "channel": ofChannel,
	} {
		answer, err := list(id, 3, 200)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, answer.Msg, want)
		for _, page := range [][2]int32{{-1, 1}, {0, 0}, {0, 201}} {
			if _, err := list(id, page[0], page[1]); connect.CodeOf(err) != connect.CodeInvalidArgument {
				t.Errorf("%s, page %v: %v", id, page, err)
			}
		}
	}
	if _, err := ofGroup("unlucky", 0, 1); connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("a failure: %v", err)
	}
}

func TestANoAboutARoleIsToldFromNoAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		grants, answers bool
		want            connect.Code
	}{
		"yes": {grants: true, answers: true}, "no": {answers: true}, "no answer": {want: connect.CodeUnavailable},
	} {
		api, c := serve(t)
		api.On("RolesGrantPermission", []string{"system_user"}, "manage_custom_group_members").Return(test.grants)
		api.On("RolesGrantPermission", []string{"system_admin"}, "manage_system").Return(test.answers)
		answer, err := c.RolesGrant(context.Background(), request(&pb.RolesGrantRequest{
			Roles: []string{"system_user"}, Permission: "manage_custom_group_members",
		}))
		if test.want != 0 {
			if connect.CodeOf(err) != test.want {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil || answer.Msg.GetGranted() != test.grants {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
	}
}

func TestASessionSaysOfWhichKindItIs(t *testing.T) {
	for name, test := range map[string]struct {
		session *model.Session
		want    *pb.Session
	}{
		"a login": {&model.Session{Props: model.StringMap{"os": "linux"}}, &pb.Session{}},
		"SAML":    {&model.Session{Props: model.StringMap{"isSaml": "true"}}, &pb.Session{IsSso: true}},
		"OpenID":  {&model.Session{Props: model.StringMap{"isOAuthUser": "true", "isSaml": "false"}}, &pb.Session{IsSso: true}},
		"a password, said in so many words": {
			&model.Session{Props: model.StringMap{"isOAuthUser": "false", "isSaml": "false"}}, &pb.Session{},
		},
		"a token": {
			&model.Session{Props: model.StringMap{"type": "UserAccessToken"}}, &pb.Session{Type: "UserAccessToken"},
		},
		"a bot's token": {
			&model.Session{Props: model.StringMap{"type": "UserAccessToken", "is_bot": "true"}},
			&pb.Session{Type: "UserAccessToken", IsBot: true},
		},
		"an OAuth app": {&model.Session{IsOAuth: true}, &pb.Session{IsOauth: true}},
	} {
		api, c := serve(t)
		test.session.Id, test.session.UserId, test.session.Token = "id", "user", "secret"
		test.session.CreateAt, test.session.ExpiresAt = 1, 2
		test.want.Id, test.want.UserId, test.want.CreateAt, test.want.ExpiresAt = "id", "user", 1, 2
		api.On("GetSession", "id").Return(test.session, nil)
		answer, err := c.GetSession(context.Background(), request(&pb.GetSessionRequest{SessionId: "id"}))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		equal(t, answer.Msg, test.want)
	}
}

func TestWhatIsNoSessionIsNotFound(t *testing.T) {
	api, c := serve(t)
	api.On("GetSession", "gone").Return(nil, appError(400))
	api.On("GetSession", "missing").Return(nil, appError(404))
	api.On("GetSession", "broken").Return(nil, appError(500))
	// A token finds its session, but is not its id.
	api.On("GetSession", "token").Return(&model.Session{Id: "id", Token: "token"}, nil)
	for id, code := range map[string]connect.Code{
		"gone": connect.CodeNotFound, "missing": connect.CodeNotFound, "token": connect.CodeNotFound,
		"broken": connect.CodeUnavailable, "": connect.CodeInvalidArgument,
	} {
		if _, err := c.GetSession(context.Background(), request(&pb.GetSessionRequest{SessionId: id})); connect.CodeOf(err) != code {
			t.Errorf("%q: %v", id, err)
		}
	}
}
