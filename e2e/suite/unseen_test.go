package suite

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// All that is granted can be read before it is granted.

// manyRoles are more roles than a post has room for.
func manyRoles() []string {
	var roles []string
	for number := range 60 {
		roles = append(roles, fmt.Sprintf("many-%02d", number+1))
	}
	return roles
}

// manyResources let the requester ask for all of them.
func manyResources() string {
	var yaml strings.Builder
	for _, role := range manyRoles() {
		fmt.Fprintf(&yaml, "kind: role\nversion: v5\nmetadata: {name: %s}\nspec: {allow: {logins: [nobody]}}\n---\n", role)
	}
	yaml.WriteString("kind: role\nversion: v5\nmetadata: {name: engineer}\nspec: {allow: {request: {roles: [dba, prod-read, 'many-*'], annotations: {team: [infra]}}}}\n")
	return yaml.String()
}

// fileMany files a request for all the roles, and waits for its post.
func (s *scene) fileMany() (string, *model.Post) {
	s.Helper()
	s.must(s.cluster.CreateResources(s.ctx, manyResources()))
	s.Cleanup(func() {
		if err := teleport.Populate(s.ctx, s.cluster); err != nil {
			s.Errorf("the roles are not set back: %v", err)
		}
	})
	// Teleport hears of new roles through its cache, a moment after they were made.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		id, err := s.requester.File(s.ctx, teleport.Wish{Roles: manyRoles(), Reason: "because"})
		if err != nil && strings.Contains(err.Error(), "can not request role") && time.Now().Before(deadline) {
			continue
		}
		s.must(err)
		return id, s.post(id)
	}
}

// part is a post of a thread, or a file in it, with all its text.
type part struct {
	post *model.Post
	text string
}

// thread is all that somebody can read of a request: its post, the replies of the plugin, and their text files.
func (s *scene) thread(user *mattermost.User, root *model.Post) []part {
	s.Helper()
	list, _, err := user.Client.GetPostThread(s.ctx, root.Id, "", false)
	s.must(err)
	var parts []part
	for _, post := range list.Posts {
		// What anybody else says there shows nothing.
		if post.UserId != root.UserId || post.DeleteAt != 0 {
			continue
		}
		text := stage.Text(post)
		for _, file := range post.FileIds {
			content, _, err := user.Client.GetFile(s.ctx, file)
			s.must(err)
			text += "\n" + string(content)
		}
		parts = append(parts, part{post, text})
	}
	return parts
}

// unread are the roles that nobody can read in the thread.
func (s *scene) unread(user *mattermost.User, root *model.Post) []string {
	s.Helper()
	whole := ""
	for _, part := range s.thread(user, root) {
		whole += part.text + "\n"
	}
	return slices.DeleteFunc(manyRoles(), func(role string) bool { return strings.Contains(whole, role) })
}

// readable waits until all roles can be read in the thread.
func (s *scene) readable(user *mattermost.User, root *model.Post) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		missing := s.unread(user, root)
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("nobody can read that these %d roles are asked for: %v", len(missing), missing)
		}
	}
}

func TestAllRolesOfALongRequestCanBeReadAndApproveAsksFirst(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		id, post := s.fileMany()
		s.readable(set.Approver, post)
		// A single click does not grant what stands elsewhere: a dialog names it.
		reaction, err := set.Approver.Click(s.ctx, post, stage.Approve)
		s.must(err)
		s.undecided("Approve of a long request", id)
		if reaction.Dialog == nil {
			s.Fatalf("Approve does not ask first, but: %s", reaction.Text)
		}
		s.holds(dialogText(reaction.Dialog), "60")
		values := map[string]any{}
		for _, element := range reaction.Dialog.Dialog.Elements {
			if element.Type == "textarea" || element.Type == "text" {
				values[element.Name] = "I have read them"
			} else {
				values[element.Name] = element.Default
			}
		}
		answer, err := set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, values)
		s.must(err)
		if answer != nil && (answer.Error != "" || len(answer.Errors) > 0) {
			s.Fatalf("the dialog stays open: %+v", answer)
		}
		s.settled(id, "bob")
		request, err := s.admin.Get(s.ctx, id)
		s.must(err)
		granted := request.GetRoles()
		slices.Sort(granted)
		if !request.GetState().IsApproved() || !slices.Equal(granted, manyRoles()) {
			s.Errorf("Teleport has %s for %v", request.GetState(), granted)
		}
	})
}

// dialogText is all that a dialog says.
func dialogText(dialog *model.OpenDialogRequest) string {
	text := dialog.Dialog.Title + "\n" + dialog.Dialog.IntroductionText
	for _, element := range dialog.Dialog.Elements {
		text += "\n" + element.DisplayName + "\n" + element.Placeholder + "\n" + element.HelpText
	}
	return text
}

func TestALongRequestIsNotApprovedWhilePartOfItIsTakenAway(t *testing.T) {
	// What is done over REST is mended before anybody clicks.
	for name, takeAway := range map[string]func(s *scene, part part){
		"deleted": func(s *scene, part part) {
			s.must(set.Mattermost.HidePost(s.ctx, part.post.Id))
		},
		"edited": func(s *scene, part part) {
			props, err := set.Mattermost.StoredProps(s.ctx, part.post.Id)
			s.must(err)
			props["attachments"] = reworded(s, s.attachments(part.post.Id), "many-", "few-")
			message := strings.ReplaceAll(part.post.Message, "many-", "few-")
			s.must(set.Mattermost.EditPost(s.ctx, part.post.Id, message, props))
		},
	} {
		t.Run(name, func(t *testing.T) {
			onDouble(t, func(s *scene) {
				s.connect(s.settings().With("AskReason", "never"))
				id, post := s.fileMany()
				s.readable(set.Approver, post)
				// A dialog that is open already is no way around.
				reaction, err := set.Approver.Click(s.ctx, post, stage.Approve)
				s.must(err)
				for _, part := range s.thread(set.Approver, post) {
					if part.post.Id != post.Id && strings.Contains(part.text, "many-60") {
						takeAway(s, part)
					}
				}
				if len(s.unread(set.Approver, post)) == 0 {
					s.Fatal("nothing was taken away: all stands in the post itself")
				}
				if reaction.Dialog != nil {
					answer, err := set.Approver.Submit(s.ctx, post.ChannelId, reaction.Dialog, map[string]any{"reason": "because"})
					s.must(err)
					s.Logf("the open dialog: %+v", answer)
				}
				s.undecided("a dialog, after a part was "+name, id)
				// It is written again, and then it can be approved.
				s.readable(set.Approver, s.post(id))
				s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
				s.settled(id, "bob")
			})
		})
	}
}

func TestTheEndOfALongReasonCanBeRead(t *testing.T) {
	onBoth(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		reason := strings.Repeat("Replica lag on orders-db. ", 100) + "And drop the table users."
		id := s.file(reason)
		post := s.post(id)
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			for _, part := range s.thread(set.Approver, post) {
				if strings.Contains(part.text, "drop the table users") {
					return
				}
			}
			if time.Now().After(deadline) {
				s.Fatal("nobody can read the end of the reason")
			}
		}
	})
}
