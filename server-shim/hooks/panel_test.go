package hooks

import (
	"context"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/panel"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/panel/panelconnect"
)

// slowTest is a core whose self-test goes on when it is let, and that tells when nobody listens any more.
type slowTest struct {
	panelconnect.UnimplementedPanelHandler
	next  chan string
	ended chan error
}

func (c *slowTest) SelfTest(
	ctx context.Context, _ *connect.Request[pb.SelfTestRequest], stream *connect.ServerStream[pb.Check],
) error {
	defer func() { c.ended <- context.Cause(ctx) }()
	for {
		select {
		case name, more := <-c.next:
			if !more {
				return nil
			}
			if err := stream.Send(&pb.Check{Name: name}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestASelfTestIsWatchedAsItGoes(t *testing.T) {
	p := activate(t, newServer(t))
	core := &slowTest{next: make(chan string), ended: make(chan error, 1)}
	replaceCore(t, p, startFake(t, nil, core))
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	go func() { core.next <- "first" }()
	stream, err := browser(t, p, admin).SelfTest(ctx, connect.NewRequest(&pb.SelfTestRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	for _, name := range []string{"first", "second", "third"} {
		if name != "first" {
			// Sent only after the one before has arrived.
			core.next <- name
		}
		if !stream.Receive() || stream.Msg().GetName() != name {
			t.Fatalf("in place of the %s one came %v, %v", name, stream.Msg(), stream.Err())
		}
	}
	close(core.next)
	if stream.Receive() || stream.Err() != nil {
		t.Errorf("after the end: %v", stream.Err())
	}
}

func TestASelfTestThatNobodyWatchesAnyMoreIsGivenUp(t *testing.T) {
	p := activate(t, newServer(t))
	core := &slowTest{next: make(chan string), ended: make(chan error, 1)}
	replaceCore(t, p, startFake(t, nil, core))
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	go func() { core.next <- "first" }()
	stream, err := browser(t, p, admin).SelfTest(ctx, connect.NewRequest(&pb.SelfTestRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	if !stream.Receive() {
		t.Fatal(stream.Err())
	}
	leave()
	_ = stream.Close()
	// It is noticed with what is sent next, or soon after.
	for end := time.After(soon); ; {
		select {
		case core.next <- "more":
		case cause := <-core.ended:
			if cause == nil {
				t.Error("the core was not told")
			}
			return
		case <-end:
			t.Fatal("the core is still sending")
		}
	}
}

func TestTheCoreTestsSettingsForSystemAdminsOnly(t *testing.T) {
	p := activate(t, newServer(t))
	test := func(user string) (checks []*pb.Check, err error) {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		stream, err := browser(t, p, user).SelfTest(ctx, connect.NewRequest(&pb.SelfTestRequest{
			SettingsJson: []byte(`{"TeleportAddress":"not an address"}`),
		}))
		if err != nil {
			return nil, err
		}
		defer func() { _ = stream.Close() }()
		for stream.Receive() {
			checks = append(checks, stream.Msg())
		}
		return checks, stream.Err()
	}
	for user, code := range map[string]connect.Code{"": connect.CodeUnauthenticated, member: connect.CodePermissionDenied} {
		if checks, err := test(user); connect.CodeOf(err) != code || len(checks) > 0 {
			t.Errorf("%q: %v, %v", user, checks, err)
		}
	}
	checks, err := test(admin)
	if err != nil || len(checks) == 0 {
		t.Fatalf("an admin: %v, %v", checks, err)
	}
	failed := false
	for _, check := range checks {
		failed = failed || check.GetOutcome() == pb.Outcome_OUTCOME_FAILED
	}
	if !failed {
		t.Errorf("nothing is wrong with a wrong address: %v", checks)
	}
}
