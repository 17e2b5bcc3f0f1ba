// Package real is a real Teleport cluster: auth server and proxy in one child process, with its state in a temporary
// folder. An admin's work on it is done with Teleport's own tctl.
package real

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/child"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/repository"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

const (
	// clusterName of the cluster.
	clusterName = "tp.example"
	// serverVersion is what the module that the server is built from contains.
	serverVersion = "13.3.8"
	// stopPatience is how long a stop may take before the process is killed.
	stopPatience = 10 * time.Second
)

// Server is a running Teleport server.
type Server struct {
	binary, dir string
	auth, proxy string
	process     *child.Process
}

// configuration is the server's teleport.yaml. The stream period is in nanoseconds: events come in 50 ms instead of a second.
const configuration = `version: v3
teleport:
  nodename: teleport
  data_dir: %[1]s
  storage:
    type: sqlite
    path: %[1]s/backend
    poll_stream_period: 50000000
  log:
    output: stderr
    severity: INFO
auth_service:
  enabled: yes
  listen_addr: %[2]s
  cluster_name: %[4]s
  proxy_listener_mode: multiplex
  authentication:
    type: local
    second_factor: off
proxy_service:
  enabled: yes
  web_listen_addr: %[3]s
  public_addr: %[3]s
ssh_service:
  enabled: no
`

// Start makes a cluster of its own and waits until it serves.
func Start(ctx context.Context) (*Server, error) {
	binary, err := repository.Server("teleport")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "teleport-")
	if err != nil {
		return nil, err
	}
	server := &Server{binary: binary, dir: dir}
	// A free port may be taken by somebody else before the server listens there: then others are tried.
	for attempt := 0; ; attempt++ {
		if err = server.launch(ctx); err == nil {
			return server, nil
		}
		if attempt == 2 || ctx.Err() != nil || !strings.Contains(err.Error(), "address already in use") {
			server.Close()
			return nil, err
		}
		server.auth, server.proxy = "", ""
	}
}

func (s *Server) launch(ctx context.Context) error {
	for _, address := range []*string{&s.auth, &s.proxy} {
		if *address == "" {
			free, err := child.FreeAddress()
			if err != nil {
				return err
			}
			*address = free
		}
	}
	data := filepath.Join(s.dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	content := fmt.Sprintf(configuration, data, s.auth, s.proxy, clusterName)
	if err := os.WriteFile(s.configPath(), []byte(content), 0o600); err != nil {
		return err
	}
	log := filepath.Join(s.dir, "server.log")
	old, _ := os.ReadFile(log)
	process, err := child.Start(ctx, child.Command{
		Path: s.binary, Args: []string{"-config", s.configPath()}, Dir: s.dir, Env: s.env(), LogPath: log, StopSignal: syscall.SIGTERM,
		Ready: func(ctx context.Context) bool {
			written, err := os.ReadFile(log)
			return err == nil && bytes.Contains(written[min(len(old), len(written)):], []byte("READY\n")) && listens(ctx, s.auth) && listens(ctx, s.proxy)
		},
	})
	s.process = process
	return err
}

func listens(ctx context.Context, address string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (s *Server) configPath() string { return filepath.Join(s.dir, "teleport.yaml") }

func (s *Server) env() []string { return child.CleanEnv(s.dir, s.dir) }

// Kind is "real".
func (s *Server) Kind() string { return "real" }

// Name of the cluster.
func (s *Server) Name() string { return clusterName }

// Version of the server.
func (s *Server) Version() string { return serverVersion }

// AuthAddress is the auth server's "host:port".
func (s *Server) AuthAddress() string { return s.auth }

// ProxyAddress is the proxy's "host:port".
func (s *Server) ProxyAddress() string { return s.proxy }

// Log is the path of the server's log.
func (s *Server) Log() string { return filepath.Join(s.dir, "server.log") }

// Stop ends the server as an admin would.
func (s *Server) Stop() {
	s.process.Stop(stopPatience)
	s.process = nil
}

// Kill ends the server at once (SIGKILL).
func (s *Server) Kill() {
	s.process.Kill()
	s.process = nil
}

// Start lets a stopped server serve again.
func (s *Server) Start(ctx context.Context) error {
	if s.process != nil {
		return errors.New("the server is running already")
	}
	return s.launch(ctx)
}

// Close ends the server and removes its folder.
func (s *Server) Close() {
	s.Stop()
	_ = os.RemoveAll(s.dir)
}

// Tctl runs Teleport's tctl on the cluster and answers what it printed.
func (s *Server) Tctl(ctx context.Context, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, s.binary, append([]string{"tctl", "-c", s.configPath()}, args...)...)
	command.Dir, command.Env = s.dir, s.env()
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("tctl %s: %w\n%s%s", strings.Join(args, " "), err, out.Bytes(), complaints.Bytes())
	}
	return out.Bytes(), nil
}

// CreateResources runs `tctl create -f`.
func (s *Server) CreateResources(ctx context.Context, yaml string) error {
	file, err := os.CreateTemp(s.dir, "resources-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(yaml); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	_, err = s.Tctl(ctx, "create", "-f", file.Name())
	return err
}

// Sign runs `tctl auth sign` twice: for the three files, and for an identity file.
func (s *Server) Sign(ctx context.Context, user string, ttl time.Duration) (*teleport.Credentials, error) {
	dir, err := os.MkdirTemp(s.dir, "sign-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if ttl == 0 {
		ttl = 12 * time.Hour
	}
	args := []string{"auth", "sign", "--user=" + user, "--ttl=" + ttl.String(), "--overwrite"}
	if _, err := s.Tctl(ctx, append(args, "--format=tls", "--out="+filepath.Join(dir, "auth"))...); err != nil {
		return nil, err
	}
	if _, err := s.Tctl(ctx, append(args, "--format=file", "--out="+filepath.Join(dir, "identity"))...); err != nil {
		return nil, err
	}
	signed := &teleport.Credentials{}
	for name, into := range map[string]*string{"auth.crt": &signed.Certificate, "auth.key": &signed.Key, "auth.cas": &signed.Authorities, "identity": &signed.Identity} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		*into = string(content)
	}
	return signed, nil
}
