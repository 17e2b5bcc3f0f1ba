package suite

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// attachments are the post's attachments as they stand in the database, with the buttons' contexts.
func (s *scene) attachments(postID string) []*model.MessageAttachment {
	s.Helper()
	props, err := set.Mattermost.StoredProps(s.ctx, postID)
	s.must(err)
	post := &model.Post{}
	post.SetProps(props)
	return post.Attachments()
}

// reworded answers attachments with one text for another wherever people read it.
func reworded(s *scene, attachments []*model.MessageAttachment, old, new string) []*model.MessageAttachment {
	s.Helper()
	for _, attachment := range attachments {
		attachment.Fallback = strings.ReplaceAll(attachment.Fallback, old, new)
		attachment.Text = strings.ReplaceAll(attachment.Text, old, new)
		for _, field := range attachment.Fields {
			if text, isText := field.Value.(string); isText {
				field.Value = strings.ReplaceAll(text, old, new)
			}
		}
	}
	return attachments
}

// change is what somebody does to a post.
type change struct {
	name string
	// click is the button that is clicked then.
	click string
	make  func(s *scene, attachments []*model.MessageAttachment) []*model.MessageAttachment
}

// buttonsOf are the two buttons of the attachments.
func buttonsOf(s *scene, attachments []*model.MessageAttachment) (approve, deny *model.PostAction) {
	s.Helper()
	for _, attachment := range attachments {
		for _, action := range attachment.Actions {
			switch action.Name {
			case stage.Approve:
				approve = action
			case stage.Deny:
				deny = action
			}
		}
	}
	if approve == nil || deny == nil {
		s.Fatal("the post has not both buttons")
	}
	return approve, deny
}

// changes each make a post say what its buttons do not do. The author knows what stands in the database.
var changes = []change{
	{"another role is shown", stage.Approve, func(s *scene, attachments []*model.MessageAttachment) []*model.MessageAttachment {
		return reworded(s, attachments, "dba", "prod-read")
	}},
	{"another requester is shown", stage.Approve, func(s *scene, attachments []*model.MessageAttachment) []*model.MessageAttachment {
		return reworded(s, attachments, "alice@example.com", "carol@example.com")
	}},
	{"another reason is shown", stage.Approve, func(s *scene, attachments []*model.MessageAttachment) []*model.MessageAttachment {
		return reworded(s, attachments, "because", "The CEO asks for it")
	}},
	{"a pretext is added", stage.Approve, func(_ *scene, attachments []*model.MessageAttachment) []*model.MessageAttachment {
		attachments[0].Pretext = "This only closes the ticket, nothing is granted."
		return attachments
	}},
	{"Deny approves", stage.Deny, func(s *scene, attachments []*model.MessageAttachment) []*model.MessageAttachment {
		approve, deny := buttonsOf(s, attachments)
		deny.Integration.Context = approve.Integration.Context
		return attachments
	}},
	{"the buttons' names are exchanged", stage.Deny, func(s *scene, attachments []*model.MessageAttachment) []*model.MessageAttachment {
		approve, deny := buttonsOf(s, attachments)
		approve.Name, deny.Name = stage.Deny, stage.Approve
		return attachments
	}},
	{"the fields are gone", stage.Approve, func(_ *scene, attachments []*model.MessageAttachment) []*model.MessageAttachment {
		attachments[0].Fields = nil
		return attachments
	}},
}

func TestAClickOnAPostThatSomebodyHasEditedDecidesNothingAndThePostIsRepaired(t *testing.T) {
	for _, change := range changes {
		t.Run(change.name, func(t *testing.T) {
			onBoth(t, func(s *scene) {
				s.connect(s.settings().With("AskReason", "never"))
				id := s.file("because")
				post := s.post(id)
				before := s.attachments(post.Id)
				props, err := set.Mattermost.StoredProps(s.ctx, post.Id)
				s.must(err)
				props["attachments"] = change.make(s, s.attachments(post.Id))
				s.edit(post, props)
				edited, err := set.Mattermost.Post(s.ctx, post.Id)
				s.must(err)
				reaction, err := set.Approver.Click(s.ctx, edited, change.click)
				s.must(err)
				s.Logf("%s: %s", change.name, reaction.Text)
				s.undecided(change.name, id)
				s.noted(set.Approver, change.name)
				s.repaired(post, before)
				s.honest(id)
			})
		})
	}
}

func TestAClickOnAPostWithAnotherMessageDecidesNothingAndThePostIsRepaired(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		post := s.post(id)
		before := s.attachments(post.Id)
		message := "`alice@example.com` requests `prod-read`"
		props, err := set.Mattermost.StoredProps(s.ctx, post.Id)
		s.must(err)
		s.must(set.Mattermost.EditPost(s.ctx, post.Id, message, props))
		reaction, err := set.Approver.Click(s.ctx, post, stage.Approve)
		s.must(err)
		s.Logf("another message: %s", reaction.Text)
		s.undecided("another message", id)
		s.repaired(post, before)
		s.honest(id)
	})
}

func TestAPostThatSomebodyEditsAgainAndAgainIsNamedInTheStatus(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id := s.file("because")
		post := s.post(id)
		for range 5 {
			now, err := set.Mattermost.Post(s.ctx, post.Id)
			s.must(err)
			if action(now, stage.Approve) == "" {
				break
			}
			props, err := set.Mattermost.StoredProps(s.ctx, post.Id)
			s.must(err)
			props["attachments"] = reworded(s, s.attachments(post.Id), "dba", "prod-read")
			s.edit(post, props)
			_, err = set.Approver.Click(s.ctx, now, stage.Approve)
			s.must(err)
			s.undecided("edited again", id)
		}
		_, err := set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool { return strings.Contains(status, id) })
		s.must(err)
		s.undecided("edited again and again", id)
	})
}

// repaired waits until the post shows, and its buttons do, what they did.
func (s *scene) repaired(post *model.Post, before []*model.MessageAttachment) {
	s.Helper()
	id, _ := post.GetProp(stage.RequestProp).(string)
	_, err := set.WaitForPost(s.ctx, s.channel.Id, id, func(now *model.Post) bool {
		return now.Id == post.Id && now.Message == post.Message && stage.Text(now) == stage.Text(post) && reflect.DeepEqual(asJSON(s, s.attachments(now.Id)), asJSON(s, before))
	})
	if err != nil {
		s.Fatalf("the post is not repaired: %v", err)
	}
}

// asJSON lets attachments be compared whatever kinds their values had.
func asJSON(s *scene, attachments []*model.MessageAttachment) string {
	s.Helper()
	content, err := json.Marshal(attachments)
	s.must(err)
	return string(content)
}

// honest clicks the post as it stands now, which decides.
func (s *scene) honest(id string) {
	s.Helper()
	s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
	s.settled(id, "bob")
}
