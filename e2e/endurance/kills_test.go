package endurance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

const (
	// killedRequests is how many requests are filed in a run, at least: filing goes on until the last kill.
	killedRequests = 200
	// mostAtOnce is how many are filed in a row.
	mostAtOnce = 15
	// aim is how long after the first of them a kill comes, at most: while they are worked on.
	aim = 150 * time.Millisecond
	// killsEach is how often each of the three is killed in a run.
	killsEach = 3
	// filingPause is the longest pause between two rows of requests: so that filing takes as long as the kills.
	filingPause = 3 * time.Second
	// killPause is the longest pause between two kills.
	killPause = 3 * time.Second
	// callTimeout bounds calls to servers that may be dead.
	callTimeout = 10 * time.Second
)

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise int64) int64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s is %q, it must be a number", name, text)
	}
	return value
}

// RUNS=20 runs it with 20 seeds in a row (give -timeout, two minutes a run); KILLS_SEED=n fixes the first of them.
func TestKillsOfPluginMattermostAndTeleportLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	runs := number(t, "RUNS", 1)
	seed := number(t, "KILLS_SEED", time.Now().UnixNano()%1_000_000)
	set := newStage(t)
	for run := range runs {
		t.Run(fmt.Sprintf("KILLS_SEED=%d", seed+run), func(t *testing.T) { runKills(t, set, seed+run) })
	}
}

// kills is one run: somebody files, somebody kills, and two decide.
type kills struct {
	*scene
	teleport *double.Process
	seed     int64

	// filed are the requests whose filing was answered, and deleted those that somebody set out to delete.
	filed   []string
	deleted map[string]bool
	// row is told when a row of requests is about to be filed.
	row chan struct{}
	// allKilled is set after the last kill, over once all is filed, too.
	allKilled, over atomic.Bool
	// restarts by Mattermost's health check since Mattermost was started: the third within an hour would be the last.
	checked int

	// clicks that were answered by the plugin; refused by Mattermost, where the plugin or itself is dead; or followed by
	// nothing, because what had to answer died then, or the websocket was not back yet.
	clicks, answers, silences          atomic.Int64
	decisions, deletions, filingErrors atomic.Int64
}

func runKills(t *testing.T, set *stage.Stage, seed int64) {
	cluster := newDoubleProcess(t, double.Options{Cluster: fmt.Sprintf("kills-%d.example", seed)})
	k := &kills{scene: newScene(t, set, cluster), teleport: cluster, seed: seed, deleted: map[string]bool{}, row: make(chan struct{})}
	k.connect(k.settings())
	begin := time.Now()
	var all sync.WaitGroup
	all.Go(k.click)
	all.Go(k.tctlDecides)
	var main sync.WaitGroup
	main.Go(k.fileAll)
	// In this goroutine, because it may end the test.
	k.killAll()
	k.allKilled.Store(true)
	main.Wait()
	k.over.Store(true)
	all.Wait()
	if k.Failed() {
		return
	}
	killed := time.Since(begin)
	// Plugins that the health check has not started again yet come back within half a minute; second looks at posts take a
	// minute more.
	var count counts
	k.eventually(late, "everything is right", func() error {
		if err := k.watches(); err != nil {
			return err
		}
		var err error
		if count, err = k.count(); err != nil {
			return err
		}
		return count.wrong()
	})
	t.Logf("seed %d: %d kills of each of three, in %.1f s, quiet %.1f s later; %d requests in Teleport (%d filings answered, %d not), %d clicks (%d answered by the plugin, %d followed by nothing, the others refused by Mattermost), %d decisions and %d deletions by tctl",
		seed, killsEach, killed.Seconds(), (time.Since(begin) - killed).Seconds(), count.requests, len(k.filed), k.filingErrors.Load(), k.clicks.Load(), k.answers.Load(), k.silences.Load(), k.decisions.Load(), k.deletions.Load())
	t.Logf("%s", count)
	if count.requests+count.deleted < killedRequests || k.answers.Load() == 0 || k.decisions.Load() == 0 {
		t.Errorf("too little happened for this to show anything")
	}
}

// chance is a source of chance of its own for each actor, so that a seed gives each the same.
func (k *kills) chance(actor uint64) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(k.seed), actor))
}

// pause lets up to most go by.
func (k *kills) pause(chance *rand.Rand, most time.Duration) {
	select {
	case <-k.ctx.Done():
	case <-time.After(time.Duration(chance.Int64N(int64(most)))):
	}
}

func (k *kills) fileAll() {
	chance := k.chance(1)
	for (len(k.filed) < killedRequests || !k.allKilled.Load()) && k.ctx.Err() == nil {
		k.pause(chance, filingPause)
		select {
		case k.row <- struct{}{}:
		default:
		}
		for range 1 + chance.IntN(mostAtOnce) {
			ctx, cancel := context.WithTimeout(k.ctx, callTimeout)
			id, err := k.requester.File(ctx, teleport.Wish{Roles: []string{teleport.RequestedRole}, Reason: fmt.Sprintf("number %d", len(k.filed))})
			cancel()
			if err != nil {
				// Whether it was filed will show.
				k.filingErrors.Add(1)
				continue
			}
			k.filed = append(k.filed, id)
		}
	}
}

func (k *kills) killAll() {
	chance := k.chance(2)
	var plan []func(*rand.Rand)
	for range killsEach {
		plan = append(plan, k.killPlugin, k.killMattermost, k.killTeleport)
	}
	chance.Shuffle(len(plan), func(one, other int) { plan[one], plan[other] = plan[other], plan[one] })
	for _, kill := range plan {
		k.pause(chance, killPause)
		select {
		case <-k.row:
		case <-k.ctx.Done():
		}
		k.pause(chance, aim)
		kill(chance)
	}
}

func (k *kills) killPlugin(chance *rand.Rand) {
	server := k.set.Mattermost
	k.eventually(late, "the plugin runs, so that it can be killed", func() error { return server.KillPlugin(k.set.PluginID) })
	// The first is left to Mattermost's health check. With the third, the plugin would stay down: there an admin helps.
	if k.checked == 0 && chance.IntN(2) == 0 {
		k.checked++
		k.Log("killed the plugin, and left it to Mattermost")
		return
	}
	k.Log("killed the plugin, and started it again")
	k.pause(chance, time.Second)
	k.must(server.RestartPlugin(k.ctx, k.set.PluginID))
}

func (k *kills) killMattermost(chance *rand.Rand) {
	k.Log("killed Mattermost with the plugin")
	k.set.Mattermost.Kill()
	k.pause(chance, time.Second)
	k.must(k.set.Mattermost.Restart(k.ctx))
	k.checked = 0
}

func (k *kills) killTeleport(chance *rand.Rand) {
	k.Log("killed Teleport")
	k.teleport.Kill()
	k.pause(chance, 2*time.Second)
	k.must(k.teleport.Start(k.ctx))
}

// pick answers a pending request that has a post, among those whose id ends on an even or an odd digit: so clicks and
// tctl do not race each other, which Teleport itself does not settle. Those that are taken are left out.
func (k *kills) pick(ctx context.Context, chance *rand.Rand, parity uint64, taken map[string]bool) *model.Post {
	posts, err := k.set.Mattermost.Posts(ctx, k.channel.Id)
	if err != nil {
		return nil
	}
	var open []*model.Post
	for _, post := range posts {
		id, _ := post.GetProp(stage.RequestProp).(string)
		if len(id) != 36 || taken[id] || post.RootId != "" || !stage.IsDecidable(post) {
			continue
		}
		if digit, err := strconv.ParseUint(id[35:], 16, 8); err == nil && digit%2 == parity {
			open = append(open, post)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return open[chance.IntN(len(open))]
}

// click lets the approver decide what is seen in the channel.
func (k *kills) click() {
	chance := k.chance(3)
	for !k.over.Load() && k.ctx.Err() == nil {
		k.pause(chance, time.Second)
		button := stage.Approve
		if chance.IntN(2) == 0 {
			button = stage.Deny
		}
		func() {
			ctx, cancel := context.WithTimeout(k.ctx, callTimeout)
			defer cancel()
			post := k.pick(ctx, chance, 0, nil)
			if post == nil {
				return
			}
			k.clicks.Add(1)
			_, err := k.set.Approver.Decide(ctx, post, button, "")
			switch {
			case err == nil:
				k.answers.Add(1)
			case strings.Contains(err.Error(), "neither a message nor a dialog came"):
				k.silences.Add(1)
			}
		}()
	}
}

// tctlDecides decides and deletes what has a post, with Teleport's own client.
func (k *kills) tctlDecides() {
	chance := k.chance(4)
	// Posts lag behind while the plugin is down, and Teleport lets an approval be turned into a denial: so once each.
	taken := map[string]bool{}
	for !k.over.Load() && k.ctx.Err() == nil {
		k.pause(chance, time.Second)
		way := chance.IntN(5)
		func() {
			ctx, cancel := context.WithTimeout(k.ctx, callTimeout)
			defer cancel()
			post := k.pick(ctx, chance, 1, taken)
			if post == nil {
				return
			}
			id := post.GetProp(stage.RequestProp).(string)
			taken[id] = true
			var err error
			switch way {
			case 0:
				k.deleted[id] = true
				if err = k.tctl.Delete(ctx, id); err == nil {
					k.deletions.Add(1)
				}
				return
			case 1, 2:
				err = k.tctl.SetState(ctx, id, types.RequestState_APPROVED, "by tctl")
			default:
				err = k.tctl.SetState(ctx, id, types.RequestState_DENIED, "by tctl")
			}
			if err == nil {
				k.decisions.Add(1)
			}
		}()
	}
}
