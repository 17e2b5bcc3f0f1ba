// Package mattermost runs a real Mattermost server as a child process and does on it what admins and users do, over its
// REST API and websocket.
package mattermost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/child"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/postgres"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/repository"
)

const (
	// template is the name of the database that has Mattermost's tables and nothing in them.
	template = "mattermost_template"
	// adminName is the first user's username.
	adminName = "sysadmin"
	// stopPatience is how long a stop may take before the server's group is killed.
	stopPatience = 20 * time.Second
)

// Server is a Mattermost server with a database of its own.
type Server struct {
	// URL where it serves.
	URL string
	// Admin is the first user, who is a system admin.
	Admin *User

	binary, dir, data, address string
	database                   *postgres.Cluster
	databaseName               string
	// guest is true where the database is another server's.
	guest   bool
	process *child.Process
	// client without a user.
	client *model.Client4
}

// Start makes a server with an empty database and its first user.
func Start(ctx context.Context, database *postgres.Cluster) (*Server, error) {
	server, err := start(ctx, database, nil)
	if err != nil {
		return nil, err
	}
	if server.Admin, err = server.CreateUser(ctx, adminName); err != nil {
		server.Close()
		return nil, err
	}
	return server, nil
}

// StartOver makes a server with what another one has left behind, which fill puts into its database. The first user of that
// one signs in.
func StartOver(ctx context.Context, database *postgres.Cluster, fill func(ctx context.Context, dsn string) error) (*Server, error) {
	server, err := start(ctx, database, fill)
	if err != nil {
		return nil, err
	}
	if server.Admin, err = server.login(ctx, adminName, Password); err != nil {
		server.Close()
		return nil, err
	}
	return server, nil
}

// start makes a server with Mattermost's tables, and lets them be filled.
func start(ctx context.Context, database *postgres.Cluster, fill func(ctx context.Context, dsn string) error) (*Server, error) {
	err := database.Template(ctx, template, func(name string) error {
		server, err := prepare(database, name)
		if err != nil {
			return err
		}
		defer server.remove()
		// The start makes the tables.
		return server.launch(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make Mattermost's tables: %w", err)
	}
	name, err := database.Create(ctx, template)
	if err != nil {
		return nil, err
	}
	server, err := prepare(database, name)
	if err != nil {
		return nil, err
	}
	if fill != nil {
		err = fill(ctx, server.DSN())
	}
	if err == nil {
		err = server.launch(ctx)
	}
	if err != nil {
		server.Close()
		return nil, err
	}
	return server, nil
}

// StartBeside makes a second server on the same database and files. Without a licence for a cluster the two do not know
// of each other; what they share is what stands in the database.
func (s *Server) StartBeside(ctx context.Context) (*Server, error) {
	other, err := prepare(s.database, s.databaseName)
	if err != nil {
		return nil, err
	}
	other.guest, other.data = true, s.data
	if err := other.launch(ctx); err != nil {
		other.Close()
		return nil, err
	}
	if other.Admin, err = other.login(ctx, s.Admin.Username, s.Admin.Password); err != nil {
		other.Close()
		return nil, err
	}
	return other, nil
}

// prepare makes the folders of a server.
func prepare(database *postgres.Cluster, databaseName string) (*Server, error) {
	name, err := binaryName()
	if err != nil {
		return nil, err
	}
	binary, err := repository.Server(name)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mattermost-")
	if err != nil {
		return nil, err
	}
	for _, folder := range []string{"data", "plugins", "client/plugins", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return nil, err
		}
	}
	return &Server{binary: binary, dir: dir, data: filepath.Join(dir, "data"), database: database, databaseName: databaseName}, nil
}

// launch starts the process and waits until it answers. The address stays the same from one launch to the next.
func (s *Server) launch(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		first := s.address == ""
		if first {
			free, err := child.FreeAddress()
			if err != nil {
				return err
			}
			s.address, s.URL = free, "http://"+free
			s.client = model.NewAPIv4Client(s.URL)
			if err := s.writeConfig(s.database.DSN(s.databaseName)); err != nil {
				return err
			}
		}
		process, err := child.Start(ctx, child.Command{
			Path: s.binary, Args: []string{"server", "--config", s.ConfigPath()}, Dir: s.dir,
			Env: s.env(), LogPath: s.LogPath(), StopSignal: syscall.SIGTERM, ReadyTimeout: 3 * time.Minute,
			Ready: func(ctx context.Context) bool {
				ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
				defer cancel()
				answer, _, err := s.client.GetPing(ctx)
				return err == nil && answer == model.StatusOk
			},
		})
		if err == nil {
			s.process = process
			return nil
		}
		// A free port may be taken by somebody else before the server listens there: then another is tried.
		if attempt == 2 || !first || ctx.Err() != nil || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
		s.address = ""
	}
}

// env is the server's environment, which the plugin inherits. Names that cannot exist are looked up, and not asked of
// the proxy that is not there.
func (s *Server) env() []string {
	return child.CleanEnv(s.dir, filepath.Join(s.dir, "tmp"), "NO_PROXY=127.0.0.1,localhost,::1,.invalid")
}

// LogPath is the file with the server's log, a JSON object a line.
func (s *Server) LogPath() string { return filepath.Join(s.dir, "server.log") }

// Stop ends the server as an admin would, plugins first.
func (s *Server) Stop() {
	s.process.Stop(stopPatience)
	s.process = nil
}

// Kill ends the server and its plugins at once (SIGKILL to the group).
func (s *Server) Kill() {
	s.process.Kill()
	s.process = nil
}

// Restart stops the server and starts it again: same address, database and plugins.
func (s *Server) Restart(ctx context.Context) error {
	if s.process != nil {
		s.Stop()
	}
	return s.launch(ctx)
}

// Upgrade stops the server and starts the newest one over what it has left behind: same address, database and plugins.
func (s *Server) Upgrade(ctx context.Context) error {
	binary, err := repository.Server(newestBinary)
	if err != nil {
		return err
	}
	s.Stop()
	s.binary = binary
	return s.launch(ctx)
}

// Close ends the server and removes its folder and, unless it is another server's, its database.
func (s *Server) Close() {
	s.remove()
	if s.guest {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = s.database.Drop(ctx, s.databaseName)
}

func (s *Server) remove() {
	s.process.Stop(stopPatience)
	s.process = nil
	_ = os.RemoveAll(s.dir)
}

// PluginProcesses are the ids of a plugin's processes.
func (s *Server) PluginProcesses(pluginID string) ([]int, error) {
	if s.process == nil {
		return nil, nil
	}
	return child.DescendantsOf(s.process.Pid(), filepath.Join(s.dir, "plugins", pluginID)+"/")
}

// KillPlugin ends a plugin's process at once (SIGKILL).
func (s *Server) KillPlugin(pluginID string) error {
	processes, err := s.PluginProcesses(pluginID)
	if err != nil {
		return err
	}
	if len(processes) == 0 {
		return fmt.Errorf("no process of plugin %s is running", pluginID)
	}
	var failed []error
	for _, process := range processes {
		failed = append(failed, syscall.Kill(process, syscall.SIGKILL))
	}
	return errors.Join(failed...)
}

// Do sends a request to the server without any session.
func (s *Server) Do(ctx context.Context, method, path, contentType string, body io.Reader) (int, string, error) {
	return do(ctx, s.URL, "", method, path, contentType, body)
}

func do(ctx context.Context, url, token, method, path, contentType string, body io.Reader) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url+path, body)
	if err != nil {
		return 0, "", err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}
