// Package double is a Teleport cluster in this process: fast, and with faults to order. It speaks as the real server does
// (mutual TLS, TLS routing at the proxy, the same service, rules and error texts) in what concerns access requests, and
// knows nothing else. What it says was taken from the real server's answers; the same tests run against both.
package double

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	usersv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"google.golang.org/grpc"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// Options say what Teleport to be. The zero value is a good one.
type Options struct {
	// Cluster is its name; empty means "tp.example".
	Cluster string
	// Version is the server's; empty means 18.0.0. It decides which calls exist: before 15 there is no paged listing, before
	// 4.4 only the unpaged one.
	Version string
	// Enterprise has reviews and thresholds; the open source edition refuses them.
	Enterprise bool
	// AdminMFA lets deciding and reviewing take multi-factor authentication, as all that administrators change does on
	// clusters with second factors: only users of Machine ID do so with a certificate alone.
	AdminMFA bool
	// Lingers is how long requests are still listed, and can be decided, after they have expired, as with stores that clear
	// away late.
	Lingers time.Duration
	// AuthAddress and ProxyAddress are where to listen; empty means a free port on loopback.
	AuthAddress, ProxyAddress string
	// Dir keeps the state on disk, so that another process can go on with it; empty keeps it in memory.
	Dir string
	// Keys is the kind of the users' private keys; the zero value is RSA in PKCS#1, as Teleport up to 16 has.
	Keys KeyKind
	// PingInterval is how often the proxy gives a sign of life on upgraded connections; 0 means as the real one, 30 seconds, and
	// less than that never.
	PingInterval time.Duration
	// Log takes a line for each refused handshake and each change; nil takes none.
	Log io.Writer
}

// Double is a running Teleport double.
type Double struct {
	options Options
	version version
	// Faults are what goes wrong.
	Faults Faults

	state       *state
	authorities *authorities
	journal     *journal
	auth, proxy string
	temporary   string
	stopExpiry  context.CancelFunc

	mu      sync.Mutex
	serving *serving
}

// serving is what exists between Start and Stop.
type serving struct {
	doors []*door
	rpc   *grpc.Server
	web   *http.Server
}

// New makes a double and lets it serve.
func New(ctx context.Context, options Options) (*Double, error) {
	if options.Cluster == "" {
		options.Cluster = "tp.example"
	}
	if options.Version == "" {
		options.Version = "18.0.0"
	}
	parsed, err := parseVersion(options.Version)
	if err != nil {
		return nil, err
	}
	d := &Double{options: options, version: parsed, auth: options.AuthAddress, proxy: options.ProxyAddress}
	if options.Dir == "" {
		if d.temporary, err = os.MkdirTemp("", "teleport-double-"); err != nil {
			return nil, err
		}
	} else {
		if err := os.MkdirAll(options.Dir, 0o700); err != nil {
			return nil, err
		}
		if d.journal, err = openJournal(filepath.Join(options.Dir, "journal.jsonl")); err != nil {
			return nil, err
		}
	}
	if d.authorities, err = loadAuthorities(options.Dir, options.Cluster); err != nil {
		return nil, err
	}
	if d.state, err = newState(d.journal); err != nil {
		return nil, err
	}
	d.Faults.init()
	expiry, cancel := context.WithCancel(context.Background())
	d.stopExpiry = cancel
	go d.state.expireForever(expiry, options.Lingers)
	if err := d.Start(ctx); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Kind is "double".
func (d *Double) Kind() string { return "double" }

// Name of the cluster.
func (d *Double) Name() string { return d.options.Cluster }

// Version of the server that it is a double of.
func (d *Double) Version() string { return d.options.Version }

// AuthAddress is the auth server's "host:port".
func (d *Double) AuthAddress() string { return d.auth }

// ProxyAddress is the proxy's "host:port".
func (d *Double) ProxyAddress() string { return d.proxy }

// Start listens at the same addresses as before and serves.
func (d *Double) Start(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.serving != nil {
		return errors.New("the double is serving already")
	}
	auth, err := d.open(d.auth)
	if err != nil {
		return err
	}
	proxy, err := d.open(d.proxy)
	if err != nil {
		auth.close()
		return err
	}
	d.auth, d.proxy = auth.address(), proxy.address()
	rpc := d.newServer()
	proto.RegisterAuthServiceServer(rpc, &service{double: d})
	usersv1.RegisterUsersServiceServer(rpc, &users{double: d})
	calls, pages := newQueue(auth.listener.Addr()), newQueue(proxy.listener.Addr())
	web := &http.Server{Handler: d.webAPI(proxy.admitUpgraded(calls, pages)), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = rpc.Serve(calls) }()
	go func() { _ = web.Serve(pages) }()
	go auth.accept(d.authTLS, calls, nil)
	go proxy.accept(d.proxyTLS, calls, pages)
	d.serving = &serving{doors: []*door{auth, proxy}, rpc: rpc, web: web}
	return nil
}

// Stop ends the server as an admin would: watches end with "watcher closed", then all connections close. The state stays.
func (d *Double) Stop() {
	d.mu.Lock()
	serving := d.serving
	d.serving = nil
	d.mu.Unlock()
	if serving == nil {
		return
	}
	for _, door := range serving.doors {
		_ = door.listener.Close()
	}
	d.Faults.thaw()
	d.state.closeWatchers(d.version.endOfWatch())
	graceful := make(chan struct{})
	go func() {
		serving.rpc.GracefulStop()
		close(graceful)
	}()
	select {
	case <-graceful:
	case <-time.After(time.Second):
	}
	serving.rpc.Stop()
	_ = serving.web.Close()
	for _, door := range serving.doors {
		door.close()
	}
}

// Close ends the double for good.
func (d *Double) Close() {
	d.Stop()
	d.stopExpiry()
	d.journal.close()
	if d.temporary != "" {
		_ = os.RemoveAll(d.temporary)
	}
}

// Cut breaks all connections at once, without a word, as a crash or a firewall does.
func (d *Double) Cut() {
	d.mu.Lock()
	serving := d.serving
	d.mu.Unlock()
	if serving != nil {
		for _, door := range serving.doors {
			door.cut()
		}
	}
}

// EndWatches ends all watches with an error, as a server that sheds load does. The connections stay.
func (d *Double) EndWatches() { d.state.closeWatchers(d.version.endOfWatch()) }

// Watches is the number of watches that stand.
func (d *Double) Watches() int { return d.state.watches() }

// Audit answers the audit events about a request.
func (d *Double) Audit(_ context.Context, requestID string) ([]teleport.AuditEvent, error) {
	return d.state.auditOf(requestID), nil
}

// Expire lets a request expire now instead of when its time is over.
func (d *Double) Expire(id string) error { return d.state.expireNow(id) }

func (d *Double) log(format string, values ...any) {
	if d.options.Log != nil {
		fmt.Fprintf(d.options.Log, format+"\n", values...)
	}
}
