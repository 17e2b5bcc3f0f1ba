package endurance

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/repository"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

// pair is two Mattermost servers on one database. They are no licensed cluster: the servers do not know of each other, and
// what one of them keeps in memory the other does not hear of. So posts are read from the server whose plugin wrote them.
// But all that the two plugins share in a real cluster, they share here: the key-value store and the posts.
type pair struct {
	*scene
	double *double.Double
	// nodes as they see the same channel.
	nodes [2]*scene
}

func newPair(t *testing.T) *pair {
	t.Helper()
	cluster := newDouble(t, double.Options{})
	first := newScene(t, newStage(t), cluster)
	second := *first.set
	var err error
	second.Mattermost, err = first.set.Mattermost.StartBeside(first.ctx)
	first.must(err)
	t.Cleanup(second.Mattermost.Close)
	other := *first
	other.set = &second
	// Dave is on the second server, bob on the first.
	dave, err := first.set.Mattermost.CreateUser(first.ctx, "dave")
	first.must(err)
	first.must(first.set.Mattermost.Join(first.ctx, first.set.Team, dave))
	_, _, err = first.set.Mattermost.Admin.Client.AddChannelMember(first.ctx, first.channel.Id, dave.ID)
	first.must(err)
	second.Approver, err = second.Mattermost.Login(first.ctx, dave.Username)
	first.must(err)
	bundle, err := repository.Bundle()
	first.must(err)
	_, err = second.Mattermost.InstallPlugin(first.ctx, bundle)
	first.must(err)
	p := &pair{scene: first, double: cluster, nodes: [2]*scene{first, &other}}
	settings := first.settings().With("Approvers", "* = "+first.set.Approver.Username+", "+dave.Username)
	for _, node := range p.nodes {
		first.must(node.set.Configure(first.ctx, settings))
	}
	return p
}

// standsBy is what the status of a node says that does not watch.
const standsBy = "this one stands by"

// leader waits until exactly one node watches and the other stands by, and answers them.
func (p *pair) leader() (leader, follower *scene) {
	p.Helper()
	p.eventually(soon, "one node watches and the other stands by", func() error {
		leader, follower = nil, nil
		var all []string
		for _, node := range p.nodes {
			status, err := node.set.Status(p.ctx, p.channel.Id)
			if err != nil {
				return err
			}
			line := stage.Line(status, "Watch")
			all = append(all, line)
			switch {
			case watchStands(status):
				leader = node
			case strings.Contains(line, standsBy):
				follower = node
			}
		}
		if leader == nil || follower == nil {
			return fmt.Errorf("the nodes say: %q", all)
		}
		return nil
	})
	return leader, follower
}

// noButton is what Mattermost answers to a click on a button that the post does not have any more.
const noButton = "Invalid action id"

// clickBoth lets bob approve on the one server what dave denies on the other, at the same moment, and answers what they
// are told. Should the post have lost its buttons before the second click is there, Mattermost refuses it by itself.
func (p *pair) clickBoth(post *model.Post) [2]string {
	p.Helper()
	var answers [2]string
	var errs [2]error
	ready := make(chan struct{})
	var clicks sync.WaitGroup
	for index, click := range []struct {
		user   *mattermost.User
		button string
	}{{p.nodes[0].set.Approver, stage.Approve}, {p.nodes[1].set.Approver, stage.Deny}} {
		clicks.Go(func() {
			<-ready
			answers[index], errs[index] = click.user.Decide(p.ctx, post, click.button, "")
		})
	}
	close(ready)
	clicks.Wait()
	for index, err := range errs {
		if err != nil && strings.Contains(err.Error(), noButton) {
			answers[index] = noButton
			continue
		}
		p.must(err)
	}
	return answers
}

func TestTwoPluginProcessesOverOneStoreLeadOneAtATimeAndDecideOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	leader, follower := p.leader()

	var ids []string
	for range 50 {
		ids = append(ids, p.file(teleport.Wish{}))
	}
	for _, id := range ids {
		leader.pending(id)
	}

	wins := map[string]int{}
	for race, id := range ids[:10] {
		// In half of the races Teleport takes its time, so that the second click surely comes while the first is deciding.
		slow := race%2 == 0
		if slow {
			p.double.Faults.Add(double.Fault{Method: "SetAccessRequestState", Delay: 2 * time.Second})
		}
		answers := p.clickBoth(leader.pending(id))
		p.double.Faults.Clear()
		events, err := p.cluster.Audit(p.ctx, id)
		p.must(err)
		updates := teleport.Updates(events)
		if len(updates) != 1 {
			t.Fatalf("Teleport's audit log has %d decisions about one request: %+v", len(updates), updates)
		}
		winner, loser, words := 0, 1, "✅ Approved by `@bob`"
		if updates[0].State == "DENIED" {
			winner, loser, words = 1, 0, "❌ Denied by `@dave`"
		}
		wins[words]++
		if want := "mattermost:" + p.nodes[winner].set.Approver.Username; updates[0].Delegator != want {
			t.Errorf("the delegator is %q, want %q", updates[0].Delegator, want)
		}
		if !strings.HasPrefix(answers[winner], "You ") {
			t.Errorf("the one who decided reads %q", answers[winner])
		}
		busy, late := strings.Contains(answers[loser], "is deciding this request"), strings.Contains(answers[loser], "Nothing was changed") || answers[loser] == noButton
		if !busy && (slow || !late) {
			t.Errorf("the one who did not decide reads %q", answers[loser])
		}
		leader.settled(id, words)
	}
	t.Logf("of 10 races: %v", wins)

	// The node that stands by serves clicks, too.
	answer, err := follower.set.Approver.Decide(p.ctx, leader.pending(ids[10]), stage.Approve, "")
	p.must(err)
	p.must(holds(answer, "You approved"))
	leader.settled(ids[10], "✅ Approved by `@"+follower.set.Approver.Username+"`")

	leader.set.Mattermost.Kill()
	var meanwhile []string
	for range 10 {
		meanwhile = append(meanwhile, p.file(teleport.Wish{Reason: "filed while nobody led"}))
	}
	for _, id := range meanwhile {
		follower.pending(id)
	}
	p.must(follower.watches())
	p.must(leader.set.Mattermost.Restart(p.ctx))
	p.eventually(soon, "the one that was killed stands by", func() error {
		status, err := leader.set.Status(p.ctx, p.channel.Id)
		if err != nil {
			return err
		}
		return holds(stage.Line(status, "Watch"), standsBy)
	})
	p.must(follower.watches())
	more := p.file(teleport.Wish{})
	follower.pending(more)

	// In the end all of it stands exactly once, whoever is asked. The one that was killed has nothing old in memory.
	for _, node := range []*scene{leader, follower} {
		posts, err := node.set.Mattermost.Posts(p.ctx, p.channel.Id)
		p.must(err)
		roots := map[any]int{}
		for _, post := range posts {
			if post.RootId == "" && post.GetProp(stage.RequestProp) != nil {
				roots[post.GetProp(stage.RequestProp)]++
			}
		}
		for _, id := range append(append([]string{more}, ids...), meanwhile...) {
			if roots[id] != 1 {
				t.Errorf("request %s has %d posts, want one", id, roots[id])
			}
		}
		if want := len(ids) + len(meanwhile) + 1; len(roots) != want {
			t.Errorf("there are posts of %d requests, want %d", len(roots), want)
		}
	}
}
