// Package real is a real Teleport cluster: auth server and proxy in one child process, with its state in a temporary
// folder. An admin's work on it is done with Teleport's own tctl. There are several versions of it.
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

// stopPatience is how long a stop may take before the process is killed.
const stopPatience = 10 * time.Second

// release is one of the versions that there is a real server of.
type release struct {
	// version is what the module that the server is built from contains.
	version string
	// binary names the server among those that were built.
	binary string
	// cluster is the name of its cluster: another one for each, so that the plugin takes them for several.
	cluster string
	// configuration is the server's teleport.yaml.
	configuration string
	// ports is how many it listens at.
	ports int
	// rolesByAPI tells that its tctl creates no roles.
	rolesByAPI bool
}

// newest is the release that Start starts.
var newest = release{version: "13.3.8", binary: "teleport", cluster: "tp.example", configuration: configuration, ports: 2}

// Server is a running Teleport server.
type Server struct {
	release release
	binary  string
	dir     string
	// ports are where it listens: the auth server, the proxy, and what else an old proxy has.
	ports   []string
	process *child.Process
}

// configuration is a teleport.yaml. The stream period is in nanoseconds: events come in 50 ms instead of a second.
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
  listen_addr: %[3]s
  cluster_name: %[2]s
  proxy_listener_mode: multiplex
  authentication:
    type: local
    second_factor: off
proxy_service:
  enabled: yes
  web_listen_addr: %[4]s
  public_addr: %[4]s
ssh_service:
  enabled: no
`

// Start makes a cluster of its own and waits until it serves.
func Start(ctx context.Context) (*Server, error) { return start(ctx, newest) }

func start(ctx context.Context, release release) (*Server, error) {
	binary, err := repository.Server(release.binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "teleport-")
	if err != nil {
		return nil, err
	}
	server := &Server{release: release, binary: binary, dir: dir}
	// A free port may be taken by somebody else before the server listens there: then others are tried.
	for attempt := 0; ; attempt++ {
		if err = server.launch(ctx); err == nil {
			return server, nil
		}
		if attempt == 2 || ctx.Err() != nil || !strings.Contains(err.Error(), "address already in use") {
			server.Close()
			return nil, err
		}
		server.ports = nil
	}
}

func (s *Server) launch(ctx context.Context) error {
	for len(s.ports) < s.release.ports {
		free, err := child.FreeAddress()
		if err != nil {
			return err
		}
		s.ports = append(s.ports, free)
	}
	data := filepath.Join(s.dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	values := []any{data, s.release.cluster}
	for _, address := range s.ports {
		values = append(values, address)
	}
	content := fmt.Sprintf(s.release.configuration, values...)
	if err := os.WriteFile(s.configPath(), []byte(content), 0o600); err != nil {
		return err
	}
	log := filepath.Join(s.dir, "server.log")
	old, _ := os.ReadFile(log)
	process, err := child.Start(ctx, child.Command{
		Path: s.binary, Args: []string{"-config", s.configPath()}, Dir: s.dir, Env: s.env(), LogPath: log, StopSignal: syscall.SIGTERM,
		Ready: func(ctx context.Context) bool {
			written, err := os.ReadFile(log)
			return err == nil && bytes.Contains(written[min(len(old), len(written)):], []byte("READY\n")) && listens(ctx, s.AuthAddress()) && listens(ctx, s.ProxyAddress())
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
func (s *Server) Name() string { return s.release.cluster }

// Version of the server.
func (s *Server) Version() string { return s.release.version }

// AuthAddress is the auth server's "host:port".
func (s *Server) AuthAddress() string { return s.ports[0] }

// ProxyAddress is the proxy's "host:port".
func (s *Server) ProxyAddress() string { return s.ports[1] }

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
	if s.release.rolesByAPI {
		return s.createBoth(ctx, yaml)
	}
	return s.onFile(ctx, yaml, "create", "-f")
}

// onFile runs tctl on a file of resources.
func (s *Server) onFile(ctx context.Context, yaml string, command ...string) error {
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
	_, err = s.Tctl(ctx, append(command, file.Name())...)
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
	args := []string{"auth", "sign", "--user=" + user, "--ttl=" + ttl.String()}
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
