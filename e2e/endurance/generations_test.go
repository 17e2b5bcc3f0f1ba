package endurance

import (
	"fmt"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// answered is what a clicker reads.
type answered struct {
	text string
	err  error
}

// held is a decision that has arrived at Teleport, which answers it when the faults are cleared.
type held struct {
	id     string
	answer chan answered
}

// hold lets bob approve a request, and returns once Teleport has the decision.
func (s *scene) hold(cluster *double.Double, post *model.Post, id string) held {
	s.Helper()
	const method = "SetAccessRequestState"
	before := cluster.Faults.Calls(method)
	cluster.Faults.Add(double.Fault{Method: method, Hold: true, Times: 1})
	h := held{id, make(chan answered, 1)}
	go func() {
		text, err := s.set.Approver.Decide(s.ctx, post, stage.Approve, "")
		h.answer <- answered{text, err}
	}()
	s.eventually(soon, "Teleport has the decision", func() error {
		if cluster.Faults.Calls(method) == before {
			return fmt.Errorf("there were %d calls", before)
		}
		return nil
	})
	return h
}

// released lets Teleport answer, and looks whether the clicker reads of their decision.
func (s *scene) released(cluster *double.Double, h held) {
	s.Helper()
	cluster.Faults.Clear()
	answer := <-h.answer
	s.must(answer.err)
	s.must(holds(answer.text, "You approved"))
}

func TestADecisionThatTeleportHasOutlivesSavedSettingsWhichTouchNoConnection(t *testing.T) {
	t.Parallel()
	cluster := newDouble(t, double.Options{})
	s := newScene(t, newStage(t), cluster)
	settings := s.settings()
	s.connect(settings)
	watches := cluster.Faults.Calls("WatchEvents")
	for _, one := range []struct {
		what string
		with stage.Settings
	}{
		{"the log level", settings.With("LogLevel", "debug")},
		{"reminders", settings.With("Reminders", "5m")},
		{"the same credentials, pasted once more and sealed after the save", settings},
	} {
		id := s.file(teleport.Wish{Reason: one.what})
		held := s.hold(cluster, s.pending(id), id)
		s.must(s.set.Configure(s.ctx, one.with))
		s.released(cluster, held)
		s.settled(id, "✅ Approved by `@bob`")
		s.eventually(soon, "what was pasted is sealed", s.holdsNoKey)
		s.eventually(soon, "the plugin watches", s.watches)
	}
	// What was saved last has been taken up by now: a request is posted.
	s.pending(s.file(teleport.Wish{}))
	if now := cluster.Faults.Calls("WatchEvents"); now != watches {
		t.Errorf("there were %d watches, and now %d", watches, now)
	}
}

func TestADecisionThatTeleportHasOutlivesNewCredentials(t *testing.T) {
	t.Parallel()
	cluster := newDouble(t, double.Options{})
	s := newScene(t, newStage(t), cluster)
	s.connect(s.settings())
	id := s.file(teleport.Wish{})
	post := s.pending(id)
	watches := cluster.Faults.Calls("WatchEvents")
	held := s.hold(cluster, post, id)
	// Others, signed anew.
	s.must(s.set.Configure(s.ctx, s.settings()))
	s.eventually(soon, "there is a new watch", func() error {
		if now := cluster.Faults.Calls("WatchEvents"); now == watches {
			return fmt.Errorf("there are still %d", now)
		}
		return nil
	})
	s.released(cluster, held)
	s.settled(id, "✅ Approved by `@bob`")
	s.eventually(soon, "what was pasted is sealed", s.holdsNoKey)
	s.eventually(soon, "one watch is left", func() error {
		if open := cluster.Watches(); open != 1 {
			return fmt.Errorf("there are %d", open)
		}
		return nil
	})
	s.pending(s.file(teleport.Wish{}))
}

func TestADecisionThatTeleportHasIsAnsweredBeforeThePluginIsDisabled(t *testing.T) {
	t.Parallel()
	cluster := newDouble(t, double.Options{})
	s := newScene(t, newStage(t), cluster)
	s.connect(s.settings())
	id := s.file(teleport.Wish{})
	held := s.hold(cluster, s.pending(id), id)
	disabled := make(chan error, 1)
	go func() {
		_, err := s.set.Mattermost.Admin.Client.DisablePlugin(s.ctx, s.set.PluginID)
		disabled <- err
	}()
	s.eventually(soon, "the plugin takes nothing new", func() error {
		status, err := s.set.Status(s.ctx, s.channel.Id)
		if err == nil && watchStands(status) {
			return fmt.Errorf("it still answers:\n%s", status)
		}
		return nil
	})
	s.released(cluster, held)
	s.must(<-disabled)
	_, err := s.set.Mattermost.Admin.Client.EnablePlugin(s.ctx, s.set.PluginID)
	s.must(err)
	s.settled(id, "✅ Approved by `@bob`")
}

func TestARightThatWasLostIsToldAndNoRequestIsTakenForWithdrawn(t *testing.T) {
	t.Parallel()
	cluster := newDouble(t, double.Options{})
	s := newScene(t, newStage(t), cluster)
	s.connect(s.settings())
	id := s.file(teleport.Wish{})
	post := s.pending(id)
	role := func(verbs string) {
		t.Helper()
		s.must(cluster.CreateResources(s.ctx, `
kind: role
metadata: {name: access-plugin}
spec: {allow: {rules: [{resources: [access_request], verbs: [`+verbs+`]}]}}
`))
	}
	role("update")
	answer, err := s.set.Approver.Decide(s.ctx, post, stage.Approve, "")
	s.must(err)
	s.must(holds(answer, "Nothing was changed", "verbs: [list, read, update]"))
	role("list, read, update")
	s.eventually(soon, "the plugin watches", s.watches)
	answer, err = s.set.Approver.Decide(s.ctx, s.pending(id), stage.Approve, "")
	s.must(err)
	s.must(holds(answer, "You approved"))
	s.settled(id, "✅ Approved by `@bob`")
}
