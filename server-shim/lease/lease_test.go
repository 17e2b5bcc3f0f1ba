package lease

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattermost/mattermost/server/public/model"
)

// store is a key-value store as Mattermost's, for all nodes. Time is the test's.
type store struct {
	mu     sync.Mutex
	value  []byte
	expire time.Time
}

// node is the Plugin API of one node.
type node struct {
	*store
	name string
	// fails makes its calls fail, and hangs makes them wait until it is closed.
	mu    sync.Mutex
	fails bool
	hangs chan struct{}
	warns []string
}

func (n *node) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

// trouble is what a call of this node meets.
func (n *node) trouble() *model.AppError {
	n.mu.Lock()
	fails, hangs := n.fails, n.hangs
	n.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	if fails {
		return model.NewAppError("KV", "broken", nil, "", http.StatusInternalServerError)
	}
	return nil
}

func (s *store) current() []byte {
	if s.value != nil && !time.Now().Before(s.expire) {
		s.value = nil
	}
	return s.value
}

func (n *node) KVGet(string) ([]byte, *model.AppError) {
	if err := n.trouble(); err != nil {
		return nil, err
	}
	n.store.mu.Lock()
	defer n.store.mu.Unlock()
	return n.current(), nil
}

func (n *node) KVSetWithOptions(_ string, value []byte, options model.PluginKVSetOptions) (bool, *model.AppError) {
	if err := n.trouble(); err != nil {
		return false, err
	}
	n.store.mu.Lock()
	defer n.store.mu.Unlock()
	if !options.Atomic || !bytes.Equal(n.current(), options.OldValue) {
		return false, nil
	}
	n.value = value
	n.expire = time.Now().Add(time.Duration(options.ExpireInSeconds) * time.Second)
	return true, nil
}

func (n *node) LogWarn(message string, pairs ...any) {
	n.set(func() { n.warns = append(n.warns, message+" "+fmt.Sprintln(pairs...)) })
}

// cluster is some nodes that want the same role; no two may hold it at once.
type cluster struct {
	t      *testing.T
	store  *store
	mu     sync.Mutex
	holder string
	since  time.Time
}

// join runs a node until stop is called; stop waits until it is gone.
func (c *cluster) join(name string) (n *node, stop func()) {
	n = &node{store: c.store, name: name}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		New(n, "leader", name, func(held bool) { c.changed(name, held) }).Run(ctx)
	}()
	return n, func() {
		cancel()
		<-done
	}
}

func (c *cluster) changed(name string, held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case held && c.holder != "":
		c.t.Errorf("%s takes the role that %s holds", name, c.holder)
	case !held && c.holder != name:
		c.t.Errorf("%s gives up the role that %q holds", name, c.holder)
	}
	c.holder = ""
	if held {
		c.holder = name
	}
	c.since = time.Now()
}

func (c *cluster) holds() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holder
}

// within waits until a node holds the role, and fails where that takes longer.
func (c *cluster) within(longest time.Duration, name string) {
	c.t.Helper()
	for end := time.Now().Add(longest); c.holds() != name; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("after %s, %q holds the role and not %q", longest, c.holds(), name)
		}
	}
}

func inCluster(t *testing.T, test func(t *testing.T, c *cluster)) {
	synctest.Test(t, func(t *testing.T) { test(t, &cluster{t: t, store: &store{}}) })
}

func TestOneNodeHoldsTheRoleAndKeepsIt(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		a, stopA := c.join("a")
		defer stopA()
		c.within(time.Second, "a")
		_, stopB := c.join("b")
		defer stopB()
		time.Sleep(time.Hour)
		if c.holds() != "a" || len(a.warns) != 0 {
			t.Errorf("after an hour %q holds the role: %v", c.holds(), a.warns)
		}
	})
}

func TestWhoeverStopsHandsTheRoleOverAtOnce(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		_, stopA := c.join("a")
		c.within(time.Second, "a")
		_, stopB := c.join("b")
		defer stopB()
		time.Sleep(time.Minute)
		stopA()
		if c.holds() == "a" {
			t.Error("the role was not given up")
		}
		c.within(4*time.Second, "b")
	})
}

func TestANodeThatIsCutOffLetsGoBeforeAnotherOneTakesOver(t *testing.T) {
	for name, cut := range map[string]func(*node){
		"calls fail": func(n *node) { n.fails = true },
		"calls hang": func(n *node) { n.hangs = make(chan struct{}) },
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(t *testing.T, c *cluster) {
				a, stopA := c.join("a")
				c.within(time.Second, "a")
				_, stopB := c.join("b")
				time.Sleep(time.Minute)
				a.set(func() { cut(a) })
				// The cluster itself checks that a lets go first.
				c.within(20*time.Second, "b")
				if len(a.warns) == 0 || len(a.warns) > 2 {
					t.Errorf("the log of a says %v", a.warns)
				}
				a.set(func() {
					if a.hangs != nil {
						close(a.hangs)
					}
					a.hangs, a.fails = nil, false
				})
				time.Sleep(time.Minute)
				if c.holds() != "b" {
					t.Errorf("%q holds the role", c.holds())
				}
				stopB()
				c.within(4*time.Second, "a")
				stopA()
			})
		})
	}
}

func TestAShortFailureOfTheStoreChangesNothing(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		a, stopA := c.join("a")
		defer stopA()
		c.within(time.Second, "a")
		since := c.since
		for range 20 {
			a.set(func() { a.fails = true })
			time.Sleep(5 * time.Second)
			a.set(func() { a.fails = false })
			time.Sleep(7 * time.Second)
		}
		if c.holds() != "a" || c.since != since {
			t.Errorf("%q holds the role since %s", c.holds(), c.since)
		}
	})
}

func TestANodeWhoseRecordIsGoneLetsGo(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		_, stopA := c.join("a")
		defer stopA()
		c.within(time.Second, "a")
		c.store.mu.Lock()
		c.store.value, c.store.expire = []byte(`{"node":"b"}`), time.Now().Add(time.Hour)
		c.store.mu.Unlock()
		c.within(5*time.Second, "")
		time.Sleep(time.Minute)
		if c.holds() != "" {
			t.Errorf("%q holds the role", c.holds())
		}
	})
}

func TestTheRecordOfALostNodeRunsOut(t *testing.T) {
	for name, left := range map[string]string{
		"another host's": `{"node":"old","host":"another","pid":1,"started":"1"}`,
		"no host's":      `{"node":"old"}`,
		"garbage":        `garbage`,
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(t *testing.T, c *cluster) {
				c.store.value, c.store.expire = []byte(left), time.Now().Add(15*time.Second)
				_, stop := c.join("a")
				defer stop()
				time.Sleep(14 * time.Second)
				if c.holds() != "" {
					t.Errorf("%q took the role", c.holds())
				}
				c.within(5*time.Second, "a")
			})
		})
	}
}

func TestANodeKnowsItsOwnRecordAgain(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		mine, err := json.Marshal(record{Node: "a", process: thisProcess()})
		if err != nil {
			t.Fatal(err)
		}
		// As a write leaves it that was taken for failed.
		c.store.value, c.store.expire = mine, time.Now().Add(15*time.Second)
		_, stop := c.join("a")
		defer stop()
		c.within(time.Second, "a")
	})
}

func TestAStoreThatFailsIsSaidToOnce(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		a, stop := c.join("a")
		defer stop()
		c.within(time.Second, "a")
		a.set(func() { a.fails = true })
		time.Sleep(time.Hour)
		synctest.Wait()
		// That it lost the role, and that it cannot tell who has it.
		if len(a.warns) != 2 {
			t.Errorf("the log says %v", a.warns)
		}
	})
}
