// Package postgres runs a throw-away PostgreSQL server for Mattermost, from the binaries of Debian's package.
package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	// The driver registers itself as "postgres".
	_ "github.com/lib/pq"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/child"
)

// superuser is the database user that owns everything.
const superuser = "mattermost"

// Cluster is a running PostgreSQL server.
type Cluster struct {
	dir, address, password string
	process                *child.Process
	admin                  *sql.DB

	mu        sync.Mutex
	templates map[string]bool
	databases int
}

// Start makes a database cluster in a temporary folder and serves it on loopback. PostgreSQL refuses to run as root: then
// it runs as the user postgres, or nobody.
func Start(ctx context.Context) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	credential, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mattermost-postgres-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, templates: map[string]bool{}}
	if err := c.initialise(ctx, bin, credential); err != nil {
		c.Close()
		return nil, err
	}
	// A free port may be taken by somebody else before the server listens there: then another is tried.
	for attempt := 0; ; attempt++ {
		if err = c.launch(ctx, bin, credential); err == nil {
			return c, nil
		}
		if attempt == 2 || ctx.Err() != nil || !strings.Contains(err.Error(), "in use") {
			c.Close()
			return nil, err
		}
	}
}

// binaries finds the folder with PostgreSQL's programs, the newest first.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		if path, err := exec.LookPath("initdb"); err == nil {
			return filepath.Dir(path), nil
		}
		return "", errors.New("PostgreSQL is not installed: run `apt-get install postgresql`")
	}
	release := func(path string) float64 {
		number, _ := strconv.ParseFloat(strings.Split(path, "/")[4], 64)
		return number
	}
	return filepath.Dir(slices.MaxFunc(found, func(one, other string) int {
		if release(one) < release(other) {
			return -1
		}
		return 1
	})), nil
}

// unprivileged answers whom to run as; nil where we are not root ourselves.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(account.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(account.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody: run this as an ordinary user")
}

func (c *Cluster) initialise(ctx context.Context, bin string, credential *syscall.Credential) error {
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	c.password = hex.EncodeToString(secret)
	passwordFile := filepath.Join(c.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	if credential != nil {
		for _, path := range []string{c.dir, passwordFile} {
			if err := os.Chown(path, int(credential.Uid), int(credential.Gid)); err != nil {
				return err
			}
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata="+c.data(), "--username="+superuser, "--pwfile="+passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	initdb.Dir, initdb.Env = c.dir, child.CleanEnv(c.dir, c.dir)
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	return nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) launch(ctx context.Context, bin string, credential *syscall.Credential) error {
	address, err := child.FreeAddress()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	c.address = address
	admin, err := sql.Open("postgres", c.DSN("postgres"))
	if err != nil {
		return err
	}
	// Nothing here needs to survive a power failure.
	settings := []string{
		"listen_addresses=127.0.0.1", "port=" + port, "unix_socket_directories=", "max_connections=300",
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=128MB",
	}
	args := []string{"-D", c.data()}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	process, err := child.Start(ctx, child.Command{
		Path: filepath.Join(bin, "postgres"), Args: args, Dir: c.dir, Env: child.CleanEnv(c.dir, c.dir),
		LogPath: filepath.Join(c.dir, "server.log"), User: credential,
		// A fast shutdown: connections that are open do not hold it up.
		StopSignal: syscall.SIGINT,
		Ready:      func(ctx context.Context) bool { return admin.PingContext(ctx) == nil },
	})
	if err != nil {
		_ = admin.Close()
		return err
	}
	c.process, c.admin = process, admin
	return nil
}

// DSN is the address of a database for clients.
func (c *Cluster) DSN(database string) string {
	address := url.URL{Scheme: "postgres", User: url.UserPassword(superuser, c.password), Host: c.address, Path: database, RawQuery: "sslmode=disable&connect_timeout=10"}
	return address.String()
}

// Create makes a new database and answers its name. With a template of that name (see Template) it is a copy of it.
func (c *Cluster) Create(ctx context.Context, template string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.databases++
	name := fmt.Sprintf("mattermost_%d", c.databases)
	statement := "CREATE DATABASE " + name
	if template != "" {
		statement += " TEMPLATE " + template
	}
	_, err := c.admin.ExecContext(ctx, statement)
	return name, err
}

// Template makes sure that there is a template database of this name: where there is none yet, fill is given a new
// database to fill, and must leave no connection to it.
func (c *Cluster) Template(ctx context.Context, name string, fill func(database string) error) error {
	c.mu.Lock()
	made := c.templates[name]
	c.mu.Unlock()
	if made {
		return nil
	}
	database, err := c.Create(ctx, "")
	if err != nil {
		return err
	}
	if err := fill(database); err != nil {
		return err
	}
	// Connections take a moment to go away.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err = c.admin.ExecContext(ctx, "ALTER DATABASE "+database+" RENAME TO "+name)
		if err == nil || time.Now().After(deadline) {
			break
		}
	}
	c.mu.Lock()
	c.templates[name] = err == nil
	c.mu.Unlock()
	return err
}

// Drop removes a database, with all connections to it.
func (c *Cluster) Drop(ctx context.Context, database string) error {
	_, err := c.admin.ExecContext(ctx, "DROP DATABASE IF EXISTS "+database+" WITH (FORCE)")
	return err
}

// Close ends the server and removes all its data.
func (c *Cluster) Close() {
	if c.admin != nil {
		_ = c.admin.Close()
	}
	c.process.Stop(10 * time.Second)
	_ = os.RemoveAll(c.dir)
}
