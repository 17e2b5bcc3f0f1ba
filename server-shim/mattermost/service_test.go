package mattermost

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin/plugintest"
	"github.com/stretchr/testify/mock"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost/mattermostconnect"
)

const botID = "botbotbotbotbotbotbotbotbo"

// serve offers the service over a Plugin API, and returns a client that calls as the core does.
func serve(t testing.TB) (*plugintest.API, mattermostconnect.MattermostClient) {
	t.Helper()
	api := &plugintest.API{}
	api.Test(t)
	service := New(api, func() string { return botID })
	return api, client(t, service)
}

func client(t testing.TB, service *Service) mattermostconnect.MattermostClient {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(service.Handler())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return mattermostconnect.NewMattermostClient(server.Client(), server.URL, connect.WithGRPCWeb())
}

func appError(status int) *model.AppError {
	return model.NewAppError("Where", "what went wrong", nil, "and more", status)
}

func request[T any](message *T) *connect.Request[T] { return connect.NewRequest(message) }

func equal(t testing.TB, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("got\n%s\nnot\n%s", protojson.Format(got), protojson.Format(want))
	}
}

// post is a post with everything that one can have.
func post() *pb.Post {
	return &pb.Post{
		ChannelId: "channel",
		RootId:    "root",
		Message:   "**hello**",
		Props:     map[string]string{"teleport_access_request": "request", "attachments": "must not pass"},
		Attachments: []*pb.Attachment{{
			Fallback: "fallback", Color: "#123456", Pretext: "pretext", Title: "title", TitleLink: "https://example.com",
			Text: "text", Footer: "footer",
			Fields: []*pb.AttachmentField{{Title: "User", Value: "alice", Short: true}, {Title: "Reason", Value: "why"}},
			Actions: []*pb.Action{{
				Id: "approve", Name: "Approve", Style: "good", Url: "/plugins/id/click",
				Context: map[string]string{"request": "request"},
			}},
		}},
	}
}

// stored is the same post as Mattermost answers with: attachments have become what JSON makes of them.
func stored(t testing.TB, post *model.Post) *model.Post {
	t.Helper()
	text, err := json.Marshal(post)
	if err != nil {
		t.Fatal(err)
	}
	answer := &model.Post{}
	if err := json.Unmarshal(text, answer); err != nil {
		t.Fatal(err)
	}
	answer.Id, answer.CreateAt, answer.UpdateAt = "id", 1, 2
	return answer
}

func TestAPostIsCreatedAsTheBotWithAllThatItSays(t *testing.T) {
	api, c := serve(t)
	api.On("GetChannel", "channel").Return(&model.Channel{Id: "channel"}, nil)
	api.On("CreatePost", mock.Anything).Return(func(created *model.Post) *model.Post {
		if created.UserId != botID || created.ChannelId != "channel" || created.RootId != "root" ||
			created.Message != "**hello**" || created.PendingPostId != "pending" {
			t.Errorf("created was %+v", created)
		}
		if created.GetProp("from_bot") != "true" || created.GetProp("from_plugin") != "true" ||
			created.GetProp("teleport_access_request") != "request" {
			t.Errorf("the props are %v", created.GetProps())
		}
		attachment := created.Attachments()[0]
		action := attachment.Actions[0]
		if action.Type != "button" || action.Integration.URL != "/plugins/id/click" ||
			action.Integration.Context["request"] != "request" {
			t.Errorf("the action is %+v with %+v", action, action.Integration)
		}
		return stored(t, created)
	}, nil)
	answer, err := c.CreatePost(context.Background(), request(&pb.CreatePostRequest{Post: post(), PendingPostId: "pending"}))
	if err != nil {
		t.Fatal(err)
	}
	want := post()
	want.Id, want.UserId, want.CreateAt, want.UpdateAt = "id", botID, 1, 2
	want.Props = map[string]string{"teleport_access_request": "request", "from_bot": "true", "from_plugin": "true"}
	want.Attachments[0].Actions[0].Type = "button"
	equal(t, answer.Msg, want)
}

func TestNothingIsPostedToAnArchivedChannel(t *testing.T) {
	api, c := serve(t)
	api.On("GetChannel", "channel").Return(&model.Channel{Id: "channel", Name: "ops", DeleteAt: 1}, nil)
	_, err := c.CreatePost(context.Background(), request(&pb.CreatePostRequest{Post: post()}))
	if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), `"ops" is archived`) {
		t.Errorf("got %v", err)
	}
	api.AssertNotCalled(t, "CreatePost", mock.Anything)
}

func TestAnUpdateReplacesWhatAPostSaysAndNothingElse(t *testing.T) {
	api, c := serve(t)
	before := &model.Post{
		Id: "id", UserId: botID, ChannelId: "channel", Message: "before", IsPinned: true, HasReactions: true,
		FileIds: model.StringArray{"file"}, CreateAt: 1,
	}
	before.AddProp("old", "prop")
	before.AddProp(model.PostPropsAttachments, []*model.MessageAttachment{{Text: "old"}})
	api.On("GetPost", "id").Return(before, nil)
	api.On("UpdatePost", mock.Anything).Return(func(updated *model.Post) *model.Post {
		if !updated.IsPinned || !updated.HasReactions || len(updated.FileIds) != 1 || updated.CreateAt != 1 {
			t.Errorf("lost was something of %+v", updated)
		}
		if updated.Message != "after" || len(updated.Attachments()) != 0 || updated.GetProp("old") != nil {
			t.Errorf("updated was %+v", updated)
		}
		if updated.GetProp("from_bot") != "true" || updated.GetProp("from_plugin") != "true" {
			t.Errorf("the props are %v", updated.GetProps())
		}
		return updated
	}, nil)
	answer, err := c.UpdatePost(context.Background(), request(&pb.UpdatePostRequest{Post: &pb.Post{Id: "id", Message: "after"}}))
	if err != nil || answer.Msg.GetMessage() != "after" {
		t.Errorf("got %v, %v", answer, err)
	}
	if before.Message != "before" {
		t.Error("Mattermost's own copy was changed")
	}
}

func TestPostsOfOthersAreNotTouched(t *testing.T) {
	api, c := serve(t)
	api.On("GetPost", "id").Return(&model.Post{Id: "id", UserId: "somebody"}, nil)
	if _, err := c.UpdatePost(context.Background(), request(&pb.UpdatePostRequest{Post: &pb.Post{Id: "id"}})); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("an update: %v", err)
	}
	if _, err := c.DeletePost(context.Background(), request(&pb.DeletePostRequest{Id: "id"})); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a deletion: %v", err)
	}
	api.AssertNotCalled(t, "UpdatePost", mock.Anything)
	api.AssertNotCalled(t, "DeletePost", mock.Anything)
}

func TestAPostOfAnEarlierBotIsUpdatedWhereThatIsNamed(t *testing.T) {
	api, c := serve(t)
	api.On("GetPost", "id").Return(&model.Post{Id: "id", UserId: "earlier"}, nil)
	api.On("UpdatePost", mock.Anything).Return(func(updated *model.Post) *model.Post { return updated }, nil)
	for author, want := range map[string]bool{"": false, "another": false, botID: false, "earlier": true} {
		_, err := c.UpdatePost(context.Background(), request(&pb.UpdatePostRequest{Post: &pb.Post{Id: "id", UserId: author}}))
		if is := err == nil; is != want {
			t.Errorf("author %q: %v", author, err)
		}
	}
}

func TestAPostIsReadAndDeleted(t *testing.T) {
	api, c := serve(t)
	api.On("GetPost", "id").Return(&model.Post{Id: "id", UserId: botID, DeleteAt: 3}, nil)
	api.On("DeletePost", "id").Return(nil)
	answer, err := c.GetPost(context.Background(), request(&pb.GetPostRequest{Id: "id"}))
	if err != nil || answer.Msg.GetDeleteAt() != 3 {
		t.Errorf("got %v, %v", answer, err)
	}
	if _, err := c.DeletePost(context.Background(), request(&pb.DeletePostRequest{Id: "id"})); err != nil {
		t.Error(err)
	}
	api.AssertCalled(t, "DeletePost", "id")
}

func TestTheBotsPostsAreListedPageByPageUntilTheyAreTooOld(t *testing.T) {
	api, c := serve(t)
	// Post n was created at 1000-n; every third is the bot's.
	page := func(from int) *model.PostList {
		list := model.NewPostList()
		for n := from; n < from+postsPerPage; n++ {
			post := &model.Post{Id: model.NewId(), CreateAt: int64(1000 - n), UserId: "somebody"}
			if n%3 == 0 {
				post.UserId = botID
			}
			list.AddPost(post)
			list.AddOrder(post.Id)
		}
		return list
	}
	first, second, third := page(0), page(postsPerPage), page(2*postsPerPage)
	// A new post came while we read: the second page begins with the last post of the first one.
	last := first.Posts[first.Order[postsPerPage-1]]
	last.UserId = botID
	second.AddPost(last)
	second.Order = append([]string{last.Id}, second.Order[:postsPerPage-1]...)
	for n, list := range []*model.PostList{first, second, third} {
		api.On("GetPostsForChannel", "channel", n, postsPerPage).Return(list, nil)
	}
	since := int64(1000 - 250)
	answer, err := c.ListBotPosts(context.Background(), request(&pb.ListBotPostsRequest{ChannelId: "channel", Since: since}))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for n, post := range answer.Msg.GetPosts() {
		if post.GetUserId() != botID || post.GetCreateAt() < since || ids[post.GetId()] {
			t.Errorf("post %d is %v", n, post)
		}
		ids[post.GetId()] = true
	}
	// 0, 3, … 249 are 84, and the last of the first page.
	if len(ids) != 85 || !slices.IsSortedFunc(answer.Msg.GetPosts(), func(a, b *pb.Post) int {
		return int(b.GetCreateAt() - a.GetCreateAt())
	}) {
		t.Errorf("there are %d posts", len(ids))
	}
	api.AssertNotCalled(t, "GetPostsForChannel", "channel", 2, postsPerPage)
}

func TestAnEphemeralPostGoesToOneUser(t *testing.T) {
	api, c := serve(t)
	api.On("SendEphemeralPost", "user", mock.MatchedBy(func(post *model.Post) bool {
		return post.ChannelId == "channel" && post.Message == "hello" && post.RootId == "root"
	})).Return(&model.Post{})
	_, err := c.SendEphemeralPost(context.Background(), request(&pb.SendEphemeralPostRequest{
		UserId: "user", Post: &pb.Post{ChannelId: "channel", Message: "hello", RootId: "root"},
	}))
	if err != nil {
		t.Error(err)
	}
}

func TestAUserIsFoundByIdNameOrAddress(t *testing.T) {
	api, c := serve(t)
	user := &model.User{
		Id: "id", Username: "alice", Email: "alice@example.com", EmailVerified: true, Roles: "system_user system_admin",
		DeleteAt: 1, MfaActive: true, AuthService: "saml", Locale: "de",
	}
	api.On("GetUser", "id").Return(user, nil)
	api.On("GetUserByUsername", "alice").Return(user, nil)
	api.On("GetUserByEmail", "alice@example.com").Return(user, nil)
	want := &pb.User{
		Id: "id", Username: "alice", Email: "alice@example.com", EmailVerified: true, IsSystemAdmin: true, DeleteAt: 1,
		MfaActive: true, AuthService: "saml", Locale: "de",
	}
	for _, by := range []*pb.GetUserRequest{
		{By: &pb.GetUserRequest_Id{Id: "id"}},
		{By: &pb.GetUserRequest_Username{Username: "alice"}},
		{By: &pb.GetUserRequest_Email{Email: "alice@example.com"}},
	} {
		answer, err := c.GetUser(context.Background(), request(by))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, answer.Msg, want)
	}
	api.On("GetUser", "guest").Return(&model.User{Id: "guest", Roles: "system_guest", IsBot: true}, nil)
	answer, err := c.GetUser(context.Background(), request(&pb.GetUserRequest{By: &pb.GetUserRequest_Id{Id: "guest"}}))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, answer.Msg, &pb.User{Id: "guest", IsGuest: true, IsBot: true})
	if _, err := c.GetUser(context.Background(), request(&pb.GetUserRequest{})); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("nobody: %v", err)
	}
}

func TestAChannelIsFoundByIdNameOrUser(t *testing.T) {
	api, c := serve(t)
	channel := &model.Channel{Id: "id", TeamId: "team", Name: "ops", DisplayName: "Ops", Type: "P", DeleteAt: 1}
	api.On("GetChannel", "id").Return(channel, nil)
	api.On("GetChannelByNameForTeamName", "sre", "ops", true).Return(channel, nil)
	api.On("GetDirectChannel", "user", botID).Return(channel, nil)
	want := &pb.Channel{Id: "id", TeamId: "team", Name: "ops", DisplayName: "Ops", Type: "P", DeleteAt: 1}
	for _, by := range []*pb.GetChannelRequest{
		{By: &pb.GetChannelRequest_Id{Id: "id"}},
		{By: &pb.GetChannelRequest_Name{Name: &pb.ChannelName{Team: "sre", Channel: "ops"}}},
		{By: &pb.GetChannelRequest_DirectUserId{DirectUserId: "user"}},
	} {
		answer, err := c.GetChannel(context.Background(), request(by))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, answer.Msg, want)
	}
	if _, err := c.GetChannel(context.Background(), request(&pb.GetChannelRequest{})); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("none: %v", err)
	}
}

func TestMembershipIsAnAnswerAndNotAnError(t *testing.T) {
	api, c := serve(t)
	api.On("GetChannelMember", "channel", "member").Return(&model.ChannelMember{Roles: "channel_user"}, nil)
	api.On("GetChannelMember", "channel", "admin").Return(&model.ChannelMember{SchemeAdmin: true}, nil)
	api.On("GetChannelMember", "channel", "stranger").Return(nil, appError(404))
	api.On("GetChannelMember", "channel", "unlucky").Return(nil, appError(500))
	api.On("GetTeamMember", "team", "member").Return(&model.TeamMember{Roles: "team_user"}, nil)
	api.On("GetTeamMember", "team", "admin").Return(&model.TeamMember{Roles: "team_user team_admin"}, nil)
	api.On("GetTeamMember", "team", "gone").Return(&model.TeamMember{SchemeAdmin: true, DeleteAt: 1}, nil)
	api.On("GetTeamMember", "team", "stranger").Return(nil, appError(404))
	api.On("GetGroup", "id").Return(&model.Group{Id: "id"}, nil)
	api.On("GetGroup", "nobody").Return(nil, appError(404))
	api.On("GetGroup", "deleted").Return(&model.Group{Id: "id", DeleteAt: 1}, nil)
	api.On("GetGroupsForUser", "member").Return([]*model.Group{{Id: "other"}, {Id: "id"}}, nil)
	api.On("GetGroupsForUser", "stranger").Return([]*model.Group{{Id: "other"}}, nil)

	for user, want := range map[string]*pb.ChannelMember{
		"member": {IsMember: true}, "admin": {IsMember: true, IsAdmin: true}, "stranger": {},
	} {
		answer, err := c.GetChannelMember(context.Background(), request(&pb.GetChannelMemberRequest{ChannelId: "channel", UserId: user}))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, answer.Msg, want)
	}
	if _, err := c.GetChannelMember(context.Background(), request(&pb.GetChannelMemberRequest{ChannelId: "channel", UserId: "unlucky"})); connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("a failure: %v", err)
	}
	for user, want := range map[string]*pb.TeamMember{
		"member": {IsMember: true}, "admin": {IsMember: true, IsAdmin: true}, "gone": {}, "stranger": {},
	} {
		answer, err := c.GetTeamMember(context.Background(), request(&pb.GetTeamMemberRequest{TeamId: "team", UserId: user}))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, answer.Msg, want)
	}
	for user, want := range map[string]*pb.GroupMember{"member": {IsMember: true}, "stranger": {}} {
		answer, err := c.GetGroupMember(context.Background(), request(&pb.GetGroupMemberRequest{GroupId: "id", UserId: user}))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, answer.Msg, want)
	}
	for _, group := range []string{"nobody", "deleted"} {
		if _, err := c.GetGroupMember(context.Background(), request(&pb.GetGroupMemberRequest{GroupId: group, UserId: "member"})); connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("the group %s: %v", group, err)
		}
	}
}

func TestTeamsAndBotsAreToldWithWhatHasBecomeOfThem(t *testing.T) {
	api, c := serve(t)
	api.On("GetTeam", "archived").Return(&model.Team{Id: "archived", Name: "ops", DeleteAt: 5}, nil)
	api.On("GetTeam", "gone").Return(nil, appError(404))
	api.On("GetBot", "disabled", true).Return(&model.Bot{UserId: "disabled", Username: "teleport", OwnerId: "the.plugin", DeleteAt: 7}, nil)
	api.On("GetBot", "gone", true).Return(nil, appError(404))
	ctx := context.Background()
	team, err := c.GetTeam(ctx, request(&pb.GetTeamRequest{Id: "archived"}))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, team.Msg, &pb.Team{Id: "archived", Name: "ops", DeleteAt: 5})
	bot, err := c.GetBot(ctx, request(&pb.GetBotRequest{UserId: "disabled"}))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, bot.Msg, &pb.Bot{UserId: "disabled", Username: "teleport", OwnerId: "the.plugin", DeleteAt: 7})
	if _, err := c.GetTeam(ctx, request(&pb.GetTeamRequest{Id: "gone"})); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a team that is gone: %v", err)
	}
	if _, err := c.GetBot(ctx, request(&pb.GetBotRequest{UserId: "gone"})); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a bot that is gone: %v", err)
	}
}

func TestADialogIsOpenedAsItIsDescribed(t *testing.T) {
	api, c := serve(t)
	api.On("OpenInteractiveDialog", model.OpenDialogRequest{
		TriggerId: "trigger", URL: "/plugins/id/dialog",
		Dialog: model.Dialog{
			CallbackId: "callback", Title: "title", IntroductionText: "hello", SubmitLabel: "Deny", State: "state",
			Elements: []model.DialogElement{{
				DisplayName: "Reason", Name: "reason", Type: "select", SubType: "email", Default: "b", Placeholder: "why",
				HelpText: "help", Optional: true, MinLength: 1, MaxLength: 2,
				Options: []*model.PostActionOptions{{Text: "A", Value: "a"}, {Text: "B", Value: "b"}},
			}},
		},
	}).Return(nil)
	_, err := c.OpenDialog(context.Background(), request(&pb.OpenDialogRequest{
		TriggerId: "trigger", Url: "/plugins/id/dialog",
		Dialog: &pb.Dialog{
			CallbackId: "callback", Title: "title", IntroductionText: "hello", SubmitLabel: "Deny", State: "state",
			Elements: []*pb.DialogElement{{
				DisplayName: "Reason", Name: "reason", Type: "select", Subtype: "email", Default: "b", Placeholder: "why",
				HelpText: "help", Optional: true, MinLength: 1, MaxLength: 2,
				Options: []*pb.DialogOption{{Text: "A", Value: "a"}, {Text: "B", Value: "b"}},
			}},
		},
	}))
	if err != nil {
		t.Error(err)
	}
	api.AssertNumberOfCalls(t, "OpenInteractiveDialog", 1)
}

func TestTheKeyValueStoreIsReadAndWritten(t *testing.T) {
	api, c := serve(t)
	api.On("KVGet", "there").Return([]byte("value"), nil)
	api.On("KVGet", "missing").Return(nil, nil)
	for key, want := range map[string]*pb.KvGetResponse{"there": {Value: []byte("value")}, "missing": {}} {
		answer, err := c.KvGet(context.Background(), request(&pb.KvGetRequest{Key: key}))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, answer.Msg, want)
	}
	for name, test := range map[string]struct {
		asked   *pb.KvSetRequest
		value   []byte
		options model.PluginKVSetOptions
	}{
		"a value":       {&pb.KvSetRequest{Value: []byte("new"), ExpireSeconds: 7}, []byte("new"), model.PluginKVSetOptions{ExpireInSeconds: 7}},
		"a deletion":    {&pb.KvSetRequest{}, nil, model.PluginKVSetOptions{}},
		"a first value": {&pb.KvSetRequest{Value: []byte("new"), Atomic: true}, []byte("new"), model.PluginKVSetOptions{Atomic: true}},
		"another value": {
			&pb.KvSetRequest{Value: []byte("new"), Atomic: true, OldValue: []byte("old")}, []byte("new"),
			model.PluginKVSetOptions{Atomic: true, OldValue: []byte("old")},
		},
		"a deletion of a value": {
			&pb.KvSetRequest{Atomic: true, OldValue: []byte("old")}, nil,
			model.PluginKVSetOptions{Atomic: true, OldValue: []byte("old")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, stored := range []bool{true, false} {
				set := api.On("KVSetWithOptions", name, test.value, test.options).Return(stored, nil).Once()
				test.asked.Key = name
				answer, err := c.KvSet(context.Background(), request(test.asked))
				if err != nil || answer.Msg.GetStored() != stored {
					t.Errorf("got %v, %v", answer, err)
				}
				set.Unset()
			}
		})
	}
	for name, asked := range map[string]*pb.KvSetRequest{
		"value":     {Key: "key", Value: []byte{}},
		"old value": {Key: "key", Value: []byte("new"), Atomic: true, OldValue: []byte{}},
	} {
		if _, err := c.KvSet(context.Background(), request(asked)); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("an empty %s: %v", name, err)
		}
	}
	api.On("KVList", 2, 100).Return([]string{"a", "b"}, nil)
	answer, err := c.KvList(context.Background(), request(&pb.KvListRequest{Page: 2, PerPage: 100}))
	if err != nil || !slices.Equal(answer.Msg.GetKeys(), []string{"a", "b"}) {
		t.Errorf("got %v, %v", answer, err)
	}
	for _, asked := range []*pb.KvListRequest{{Page: -1, PerPage: 1}, {PerPage: 0}, {PerPage: 1001}} {
		if _, err := c.KvList(context.Background(), request(asked)); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%v: %v", asked, err)
		}
	}
}

func TestLinesOfTheLogKeepTheirLevelAndFields(t *testing.T) {
	api, c := serve(t)
	for level, method := range map[pb.LogLevel]string{
		pb.LogLevel_LOG_LEVEL_UNSPECIFIED: "LogInfo", pb.LogLevel_LOG_LEVEL_DEBUG: "LogDebug",
		pb.LogLevel_LOG_LEVEL_INFO: "LogInfo", pb.LogLevel_LOG_LEVEL_WARN: "LogWarn", pb.LogLevel_LOG_LEVEL_ERROR: "LogError",
	} {
		logged := api.On(method, "hello", "name", "value").Return().Once()
		_, err := c.Log(context.Background(), request(&pb.LogRequest{
			Level: level, Message: "hello", Fields: []*pb.LogField{{Name: "name", Value: "value"}},
		}))
		if err != nil {
			t.Error(err)
		}
		api.AssertCalled(t, method, "hello", "name", "value")
		logged.Unset()
	}
}

func TestErrorsOfMattermostBecomeTheAgreedCodes(t *testing.T) {
	for status, code := range map[int]connect.Code{
		400: connect.CodeInvalidArgument, 403: connect.CodePermissionDenied, 404: connect.CodeNotFound,
		409: connect.CodeAlreadyExists, 413: connect.CodeResourceExhausted, 429: connect.CodeResourceExhausted,
		501: connect.CodeUnimplemented, 500: connect.CodeUnavailable, 401: connect.CodeUnavailable, 0: connect.CodeUnavailable,
	} {
		api, c := serve(t)
		api.On("GetPost", "id").Return(nil, appError(status))
		_, err := c.GetPost(context.Background(), request(&pb.GetPostRequest{Id: "id"}))
		if connect.CodeOf(err) != code || !strings.Contains(err.Error(), "what went wrong") {
			t.Errorf("%d became %v", status, err)
		}
	}
}

func TestAnAnswerThatNeverCameIsNotTakenForOne(t *testing.T) {
	api, c := serve(t)
	api.On("GetChannel", "channel").Return(&model.Channel{Id: "channel"}, nil)
	api.On("CreatePost", mock.Anything).Return(nil, nil)
	api.On("GetPost", "id").Return(nil, nil)
	api.On("GetPostsForChannel", "channel", 0, postsPerPage).Return(nil, nil)
	api.On("SendEphemeralPost", "user", mock.Anything).Return(nil)
	api.On("GetUser", "id").Return(nil, nil)
	api.On("GetChannel", "id").Return(nil, nil)
	api.On("GetChannelMember", "channel", "user").Return(nil, nil)
	api.On("GetTeamMember", "team", "user").Return(nil, nil)
	api.On("GetTeam", "team").Return(nil, nil)
	api.On("GetBot", "bot", true).Return(nil, nil)
	api.On("GetGroup", "group").Return(nil, nil)
	api.On("GetSession", "session").Return(nil, nil)
	api.On("RolesGrantPermission", mock.Anything, mock.Anything).Return(false)
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"CreatePost": func() error {
			_, err := c.CreatePost(ctx, request(&pb.CreatePostRequest{Post: &pb.Post{ChannelId: "channel"}}))
			return err
		},
		"CreatePost in a channel of which nothing is heard": func() error {
			_, err := c.CreatePost(ctx, request(&pb.CreatePostRequest{Post: &pb.Post{ChannelId: "id"}}))
			return err
		},
		"UpdatePost": func() error {
			_, err := c.UpdatePost(ctx, request(&pb.UpdatePostRequest{Post: &pb.Post{Id: "id"}}))
			return err
		},
		"GetPost":    func() error { _, err := c.GetPost(ctx, request(&pb.GetPostRequest{Id: "id"})); return err },
		"DeletePost": func() error { _, err := c.DeletePost(ctx, request(&pb.DeletePostRequest{Id: "id"})); return err },
		"ListBotPosts": func() error {
			_, err := c.ListBotPosts(ctx, request(&pb.ListBotPostsRequest{ChannelId: "channel"}))
			return err
		},
		"SendEphemeralPost": func() error {
			_, err := c.SendEphemeralPost(ctx, request(&pb.SendEphemeralPostRequest{UserId: "user"}))
			return err
		},
		"GetUser": func() error {
			_, err := c.GetUser(ctx, request(&pb.GetUserRequest{By: &pb.GetUserRequest_Id{Id: "id"}}))
			return err
		},
		"GetChannel": func() error {
			_, err := c.GetChannel(ctx, request(&pb.GetChannelRequest{By: &pb.GetChannelRequest_Id{Id: "id"}}))
			return err
		},
		"GetChannelMember": func() error {
			_, err := c.GetChannelMember(ctx, request(&pb.GetChannelMemberRequest{ChannelId: "channel", UserId: "user"}))
			return err
		},
		"GetTeamMember": func() error {
			_, err := c.GetTeamMember(ctx, request(&pb.GetTeamMemberRequest{TeamId: "team", UserId: "user"}))
			return err
		},
		"GetTeam": func() error { _, err := c.GetTeam(ctx, request(&pb.GetTeamRequest{Id: "team"})); return err },
		"GetBot":  func() error { _, err := c.GetBot(ctx, request(&pb.GetBotRequest{UserId: "bot"})); return err },
		"GetGroup": func() error {
			_, err := c.GetGroup(ctx, request(&pb.GetGroupRequest{By: &pb.GetGroupRequest_Id{Id: "group"}}))
			return err
		},
		"GetSession": func() error {
			_, err := c.GetSession(ctx, request(&pb.GetSessionRequest{SessionId: "session"}))
			return err
		},
		"RolesGrant": func() error {
			_, err := c.RolesGrant(ctx, request(&pb.RolesGrantRequest{Roles: []string{"system_user"}, Permission: "p"}))
			return err
		},
		"GetGroupMember": func() error {
			_, err := c.GetGroupMember(ctx, request(&pb.GetGroupMemberRequest{GroupId: "group", UserId: "user"}))
			return err
		},
	} {
		if err := call(); connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithoutABotNothingIsPosted(t *testing.T) {
	api := &plugintest.API{}
	api.Test(t)
	c := client(t, New(api, func() string { return "" }))
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"CreatePost":   func() error { _, err := c.CreatePost(ctx, request(&pb.CreatePostRequest{})); return err },
		"UpdatePost":   func() error { _, err := c.UpdatePost(ctx, request(&pb.UpdatePostRequest{})); return err },
		"ListBotPosts": func() error { _, err := c.ListBotPosts(ctx, request(&pb.ListBotPostsRequest{})); return err },
		"GetChannel": func() error {
			_, err := c.GetChannel(ctx, request(&pb.GetChannelRequest{By: &pb.GetChannelRequest_DirectUserId{DirectUserId: "user"}}))
			return err
		},
	} {
		if err := call(); connect.CodeOf(err) != connect.CodeFailedPrecondition {
			t.Errorf("%s: %v", name, err)
		}
	}
}
