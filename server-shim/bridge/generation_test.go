package bridge

import (
	"context"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// over waits until Teleport learns that a call has ended.
func over(t *testing.T, call context.Context) {
	t.Helper()
	select {
	case <-call.Done():
	case <-time.After(soon):
		t.Error("the connection is still open")
	}
}

// retired waits until so many endpoints that were replaced are still there.
func (c *core) retired(want int) {
	c.t.Helper()
	got := -1
	for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		c.bridge.mu.Lock()
		got = len(c.bridge.retired)
		c.bridge.mu.Unlock()
		if got == want {
			return
		}
	}
	c.t.Errorf("%d endpoints are left over, want %d", got, want)
}

func TestACallThatIsUnderWayEndsWhereItBeganAndNewOnesGoToTheNewEndpoint(t *testing.T) {
	tp, other := startTeleport(t, nil), startTeleport(t, nil)
	tp.release = make(chan struct{})
	c := newCore(t)
	c.set(tp.endpoint())
	// As a decision is that Teleport takes its time for: it has arrived, and the answer is still to come.
	answered := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		answer, err := c.client("Count").CallUnary(ctx, connect.NewRequest(wrapperspb.String("x")))
		if err == nil && answer.Msg.GetValue() != "0" {
			err = fmt.Errorf("the answer is %v", answer.Msg)
		}
		answered <- err
	}()
	watch := c.stream(context.Background(), "Wait", "watch")
	if !watch.Receive() {
		t.Fatal(watch.Err())
	}
	there := <-tp.waiting
	c.retired(0)

	c.set(other.endpoint())
	c.retired(1)
	for n := range 3 {
		if _, err := c.echo("to the new one"); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
	}
	tp.release <- struct{}{}
	if err := <-answered; err != nil {
		t.Errorf("the call that was under way: %v", err)
	}
	select {
	case <-there.Done():
		t.Error("the watch was ended with another call")
	default:
	}

	// Whoever watches moves over and ends the old watch; nothing of the old endpoint is left then.
	_ = watch.Close()
	over(t, there)
	c.retired(0)
	if _, err := c.echo("still there"); err != nil {
		t.Error(err)
	}
}

func TestRenewedCredentialsAreUsedForNewCallsWhileOldOnesGoOn(t *testing.T) {
	tp := startTeleport(t, nil)
	c := newCore(t)
	c.set(tp.endpoint())
	var watches []context.Context
	for range 3 {
		watch := c.stream(context.Background(), "Wait", "watch")
		defer func() { _ = watch.Close() }()
		if !watch.Receive() {
			t.Fatal(watch.Err())
		}
		watches = append(watches, <-tp.waiting)
		c.set(tp.endpoint())
	}
	c.retired(3)
	for _, there := range watches {
		if there.Err() != nil {
			t.Error("a watch was ended by renewed credentials")
		}
	}
	c.bridge.Close()
	for _, there := range watches {
		over(t, there)
	}
}

func TestCallsThatNeverEndDoNotKeepAnOldEndpointForEver(t *testing.T) {
	before := retiredAfter
	retiredAfter = 200 * time.Millisecond
	t.Cleanup(func() { retiredAfter = before })
	tp := startTeleport(t, nil)
	c := newCore(t)
	c.set(tp.endpoint())
	watch := c.stream(context.Background(), "Wait", "watch")
	defer func() { _ = watch.Close() }()
	if !watch.Receive() {
		t.Fatal(watch.Err())
	}
	there := <-tp.waiting
	c.set(tp.endpoint())
	for watch.Receive() {
	}
	if got := failure(watch.Err()); got != "broken" {
		t.Errorf("the failure is %q", got)
	}
	over(t, there)
	c.retired(0)
	if _, err := c.echo("over the new one"); err != nil {
		t.Error(err)
	}
}

func TestAnEndpointThatNobodyWaitsForAnyMoreTakesNoPlace(t *testing.T) {
	tp, other := startTeleport(t, nil), startTeleport(t, nil)
	c := newCore(t)
	c.set(tp.endpoint())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.bridge.SetEndpoint(ctx, connect.NewRequest(other.endpoint())); connect.CodeOf(err) != connect.CodeCanceled {
		t.Errorf("got %v", err)
	}
	other.server.Stop()
	if _, err := c.echo("to the one before"); err != nil {
		t.Error(err)
	}
}
