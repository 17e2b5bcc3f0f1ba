package double

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/child"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// argsVariable tells a program that it is to be a double; see Become.
const argsVariable = "TELEPORT_DOUBLE_ARGS"

// Become makes this process a double and does not return, where StartProcess asked for that. Programs that use
// StartProcess call it first of all.
func Become() {
	text, asked := os.LookupEnv(argsVariable)
	if !asked {
		return
	}
	var args []string
	err := json.Unmarshal([]byte(text), &args)
	if err == nil {
		err = Main(context.Background(), args, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Process is a double in a process of its own, which can be killed. Its state is on disk.
type Process struct {
	options Options
	dir     string
	places  places
	process *child.Process
}

// StartProcess runs this very program again as a double; see Become. Of the options Dir, Log and Keys do not count.
func StartProcess(ctx context.Context, options Options) (*Process, error) {
	dir, err := os.MkdirTemp("", "teleport-double-")
	if err != nil {
		return nil, err
	}
	p := &Process{options: options, dir: dir}
	if err := p.Start(ctx); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Start lets it serve again, at the same addresses and with the same state.
func (p *Process) Start(ctx context.Context) error {
	if p.process != nil {
		return errors.New("the double is running already")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{
		"-dir", filepath.Join(p.dir, "state"), "-cluster", p.options.Cluster, "-version", p.options.Version,
		"-auth", p.places.Auth, "-proxy", p.places.Proxy,
	}
	if p.options.Enterprise {
		args = append(args, "-enterprise")
	}
	if p.options.AdminMFA {
		args = append(args, "-admin-mfa")
	}
	text, err := json.Marshal(args)
	if err != nil {
		return err
	}
	log := filepath.Join(p.dir, fmt.Sprintf("log-%d", time.Now().UnixNano()))
	process, err := child.Start(ctx, child.Command{
		Path: self, Dir: p.dir, Env: child.CleanEnv(p.dir, p.dir, argsVariable+"="+string(text)), LogPath: log,
		Ready: func(context.Context) bool {
			for line := range strings.Lines(child.Tail(log, 1<<16)) {
				if ready, ok := strings.CutPrefix(line, "READY "); ok && strings.HasSuffix(ready, "\n") {
					return json.Unmarshal([]byte(ready), &p.places) == nil
				}
			}
			return false
		},
	})
	if err != nil {
		return err
	}
	p.process = process
	return nil
}

// Kill ends it at once (SIGKILL).
func (p *Process) Kill() {
	p.process.Kill()
	p.process = nil
}

// Stop ends it as an admin would.
func (p *Process) Stop() {
	p.process.Stop(10 * time.Second)
	p.process = nil
}

// Close ends it and removes its state.
func (p *Process) Close() {
	p.Stop()
	_ = os.RemoveAll(p.dir)
}

// Kind is "double".
func (p *Process) Kind() string { return "double" }

// Name of the cluster.
func (p *Process) Name() string { return p.places.Cluster }

// Version of the server that it is a double of.
func (p *Process) Version() string { return p.places.Version }

// AuthAddress is the auth server's "host:port".
func (p *Process) AuthAddress() string { return p.places.Auth }

// ProxyAddress is the proxy's "host:port".
func (p *Process) ProxyAddress() string { return p.places.Proxy }

// CreateResources makes or replaces roles and users.
func (p *Process) CreateResources(ctx context.Context, yaml string) error {
	return p.control(ctx, http.MethodPost, "/resources", strings.NewReader(yaml), nil)
}

// Sign issues credentials for a user.
func (p *Process) Sign(ctx context.Context, user string, ttl time.Duration) (*teleport.Credentials, error) {
	asked, err := json.Marshal(signing{user, ttl})
	if err != nil {
		return nil, err
	}
	signed := &teleport.Credentials{}
	return signed, p.control(ctx, http.MethodPost, "/sign", bytes.NewReader(asked), signed)
}

// Audit answers the audit events about a request.
func (p *Process) Audit(ctx context.Context, requestID string) ([]teleport.AuditEvent, error) {
	var events []teleport.AuditEvent
	return events, p.control(ctx, http.MethodGet, "/audit/"+requestID, nil, &events)
}

// Cut breaks all connections at once.
func (p *Process) Cut(ctx context.Context) error {
	return p.control(ctx, http.MethodPost, "/cut", nil, nil)
}

// AddFault puts a fault in force.
func (p *Process) AddFault(ctx context.Context, fault Fault) error {
	content, err := json.Marshal(fault)
	if err != nil {
		return err
	}
	return p.control(ctx, http.MethodPost, "/faults", bytes.NewReader(content), nil)
}

// ClearFaults takes all faults away.
func (p *Process) ClearFaults(ctx context.Context) error {
	return p.control(ctx, http.MethodDelete, "/faults", nil, nil)
}

func (p *Process) control(ctx context.Context, method, path string, body io.Reader, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+p.places.Control+path, body)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("the double: %s", strings.TrimSpace(string(text)))
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
