package suite

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// A button is everybody's: whoever may post can make one that calls the plugin, with any context, and Mattermost sends it with
// the session of whoever clicks. So only the plugin's own posts count.

// bait is a post with a button that leads to the plugin's click route, with the words of its author's choice.
func (s *scene) bait(channelID, rootID string, context map[string]any) *model.Post {
	post := &model.Post{ChannelId: channelID, RootId: rootID, Message: "Lunch?"}
	post.SetProps(model.StringInterface{
		// As the plugin's own posts say which request they are about.
		stage.RequestProp: context["request"], "teleport_cluster": s.cluster.Name(),
		"attachments": []*model.MessageAttachment{{Text: "Who is in?", Actions: []*model.PostAction{{
			Id: "pizza", Name: "Pizza", Type: model.PostActionTypeButton,
			Integration: &model.PostActionIntegration{URL: "/plugins/" + set.PluginID + "/click", Context: context},
		}}}},
	})
	return post
}

// postAs makes a post over REST.
func (s *scene) postAs(client *model.Client4, post *model.Post) *model.Post {
	s.Helper()
	made, _, err := client.CreatePost(s.ctx, post)
	s.must(err)
	return made
}

// undecided ends the test where the request is not pending, or was ever decided, whatever became of its post.
func (s *scene) undecided(what, id string) {
	s.Helper()
	if state := s.state(id); !state.IsPending() {
		s.Fatalf("%s: the request is %s, want PENDING", what, state)
	}
	if decisions := s.decisions(id); len(decisions) != 0 {
		s.Fatalf("%s: Teleport's audit log has decisions: %+v", what, decisions)
	}
}

// withoutAPost lets the scene's requests go to two channels, the second of which takes no posts any more: a plain member has
// archived it. So one posting of every request that is filed from now on has no post id.
func (s *scene) withoutAPost(settings stage.Settings) {
	s.Helper()
	second, recipient, err := set.Channel(s.ctx, s.channel.Name+"-second")
	s.must(err)
	s.connect(settings.With("Recipients", s.recipient+", "+recipient))
	first := s.file("before the channel is archived")
	s.post(first)
	_, err = set.WaitForPost(s.ctx, second.Id, first, nil)
	s.must(err)
	_, err = set.Bystander.Client.DeleteChannel(s.ctx, second.Id)
	s.must(err)
}

// robot is a bot that an admin has made for somebody, with a token.
func (s *scene) robot(name string) *mattermost.User {
	s.Helper()
	newcomers++
	bot, _, err := set.Mattermost.Admin.Client.CreateBot(s.ctx, &model.Bot{Username: fmt.Sprintf("%s-%d", name, newcomers)})
	s.must(err)
	token, _, err := set.Mattermost.Admin.Client.CreateUserAccessToken(s.ctx, bot.UserId, "for the test", 0)
	s.must(err)
	robot := set.Mattermost.Admin.WithToken(token.Token)
	robot.ID, robot.Username, robot.Email = bot.UserId, bot.Username, ""
	s.must(set.Mattermost.Join(s.ctx, set.Team, robot))
	s.must(set.Mattermost.Invite(s.ctx, s.channel, robot))
	return robot
}

// foreign is a way to let an approver click what is no post of the request. It answers the post that is clicked.
type foreign struct {
	name string
	lay  func(s *scene, post *model.Post, id string, context map[string]any) *model.Post
}

// foreigners are posts that say that they are the request's, and are not.
var foreigners = []foreign{
	{"a member's direct message", func(s *scene, _ *model.Post, _ string, context map[string]any) *model.Post {
		direct, err := set.Bystander.DirectChannel(s.ctx, set.Approver.ID)
		s.must(err)
		return s.postAs(set.Bystander.Client, s.bait(direct.Id, "", context))
	}},
	{"a member's post in the request's own channel", func(s *scene, _ *model.Post, _ string, context map[string]any) *model.Post {
		return s.postAs(set.Bystander.Client, s.bait(s.channel.Id, "", context))
	}},
	{"a member's reply in the request's own thread", func(s *scene, post *model.Post, _ string, context map[string]any) *model.Post {
		return s.postAs(set.Bystander.Client, s.bait(s.channel.Id, post.Id, context))
	}},
	{"another bot's post in the request's own channel", func(s *scene, _ *model.Post, _ string, context map[string]any) *model.Post {
		return s.postAs(s.robot("lunch").Client, s.bait(s.channel.Id, "", context))
	}},
	{"the plugin's own post about another request", func(s *scene, _ *model.Post, _ string, context map[string]any) *model.Post {
		other := s.post(s.file("another one"))
		props, err := set.Mattermost.StoredProps(s.ctx, other.Id)
		s.must(err)
		// A system admin lets its button name this request.
		s.edit(other, aim(s, props, context))
		return other
	}},
}

// aim lets all buttons of a post send this context.
func aim(s *scene, props model.StringInterface, context map[string]any) model.StringInterface {
	s.Helper()
	post := &model.Post{}
	post.SetProps(props)
	attachments := post.Attachments()
	for _, attachment := range attachments {
		for _, action := range attachment.Actions {
			action.Integration.Context = context
		}
	}
	aimed := model.StringInterface{}
	for name, value := range props {
		aimed[name] = value
	}
	aimed["attachments"] = attachments
	return aimed
}

// firstButton is the id of the post's first button as it stands now.
func (s *scene) firstButton(postID string) string {
	s.Helper()
	post, err := set.Mattermost.Post(s.ctx, postID)
	s.must(err)
	for _, attachment := range post.Attachments() {
		for _, action := range attachment.Actions {
			return action.Id
		}
	}
	s.Fatalf("the post has no button: %s", stage.Text(post))
	return ""
}

func TestAButtonOfAForeignPostDecidesNothingWhileAPostOfTheRequestIsMissing(t *testing.T) {
	for _, foreign := range foreigners {
		t.Run(foreign.name, func(t *testing.T) {
			onBoth(t, func(s *scene) {
				s.withoutAPost(s.settings().With("AskReason", "never"))
				id := s.file("because")
				post := s.post(id)
				for _, verdict := range []string{"approve", "deny"} {
					laid := foreign.lay(s, post, id, clickContext(s, post, id, verdict))
					reaction, err := set.Approver.ClickAction(s.ctx, laid.Id, s.firstButton(laid.Id))
					s.must(err)
					s.Logf("%s: %s", verdict, reaction.Text)
					s.undecided(foreign.name+", "+verdict, id)
					s.noted(set.Approver, foreign.name)
				}
			})
		})
	}
}

// claims are posts that a request made by hand names, with the approver's own session.
func claims(s *scene, id string, post *model.Post) map[string]string {
	s.Helper()
	direct, err := set.Bystander.DirectChannel(s.ctx, set.Approver.ID)
	s.must(err)
	member := s.postAs(set.Bystander.Client, s.bait(direct.Id, "", clickContext(s, post, id, "approve")))
	other := s.post(s.file("another one"))
	return map[string]string{
		"no post": "", "a post that there is not": model.NewId(), "what is no id": strings.Repeat("x", 300), "a channel": s.channel.Id,
		"a member's post": member.Id, "the post of another request": other.Id,
	}
}

func TestARequestMadeByHandDecidesNothingUnlessItNamesTheRequestsPost(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.withoutAPost(s.settings().With("AskReason", "never"))
		id := s.file("because")
		post := s.post(id)
		for name, claimed := range claims(s, id, post) {
			answer := s.forgeInto(set.Approver, post, id, func(body *model.PostActionIntegrationRequest) { body.PostId = claimed })
			s.Logf("%s: %s", name, answer)
			s.undecided(name, id)
		}
		s.untouched(id)
	})
}

func TestAPostOfThePluginThatIsDeletedOrElsewhereDecidesNothing(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.withoutAPost(s.settings().With("AskReason", "never"))
		for name, takeAway := range map[string]func(context.Context, *model.Post) error{
			"a deleted post": func(ctx context.Context, post *model.Post) error {
				_, err := set.Mattermost.Admin.Client.DeletePost(ctx, post.Id)
				return err
			},
			"a post that was moved into a direct channel": func(ctx context.Context, post *model.Post) error {
				direct, err := set.Bystander.DirectChannel(ctx, set.Approver.ID)
				if err != nil {
					return err
				}
				return set.Mattermost.MovePost(ctx, post.Id, direct.Id)
			},
		} {
			id := s.file("because")
			post := s.post(id)
			body := clickBody(s, post, id, "approve")
			s.must(takeAway(s.ctx, post))
			_, answer := s.forge(set.Approver, body)
			s.Logf("%s: %s", name, answer)
			s.undecided(name, id)
			// By its button: Mattermost itself refuses where the post is deleted.
			if reaction, err := set.Approver.ClickAction(s.ctx, post.Id, "approve"); err == nil {
				s.Logf("%s, clicked: %s", name, reaction.Text)
			}
			s.undecided(name+", clicked", id)
		}
	})
}

func TestTheRequestsOwnPostDecidesWhileAnotherOfItsPostsIsMissing(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.withoutAPost(s.settings().With("AskReason", "never"))
		id := s.file("because")
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
		s.settled(id, "bob")
	})
}

// edit changes a post's props, which nobody hears of: what a system admin changes over REST is mended before anybody clicks.
func (s *scene) edit(post *model.Post, props model.StringInterface) {
	s.Helper()
	now, err := set.Mattermost.Post(s.ctx, post.Id)
	s.must(err)
	s.must(set.Mattermost.EditPost(s.ctx, post.Id, now.Message, props))
}
