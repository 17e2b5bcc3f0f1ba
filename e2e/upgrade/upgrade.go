// Package upgrade keeps what an earlier version of the plugin has left behind, so that a later one can be shown to go on with
// it: rows of Mattermost's database, the settings, and the Teleport cluster's own state. All of it comes from a real run
// of the earlier bundle; cmd/upgrade-fixture makes it.
package upgrade

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	// The driver registers itself as "postgres".
	_ "github.com/lib/pq"
	"golang.org/x/crypto/bcrypt"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
)

// tables whose rows are kept, in an order in which they can be inserted. The plugin's own table is the last.
var tables = []string{"users", "bots", "teams", "teammembers", "channels", "channelmembers", "posts", "threads", "pluginkeyvaluestore"}

// Fixture is what an earlier version has left behind.
type Fixture struct {
	// Version of the bundle, as its status names itself.
	Version string `json:"version"`
	// Captured is when it was made, in milliseconds.
	Captured int64 `json:"captured"`
	// Settings of the plugin as they stand in Mattermost's configuration, with what is sealed. The address is another one each
	// time.
	Settings map[string]any `json:"settings"`
	// Teleport holds the files of the double's folder.
	Teleport map[string]string `json:"teleport"`
	// Requests are ids of access requests by what became of them.
	Requests map[string]string `json:"requests"`
	// Tables are rows of Mattermost's database, as PostgreSQL writes them in JSON.
	Tables map[string]json.RawMessage `json:"tables"`
}

// Cluster is the name of the Teleport cluster.
const Cluster = "upgrade.example"

// Read reads a fixture.
func Read(path string) (*Fixture, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fixture := &Fixture{}
	return fixture, json.Unmarshal(content, fixture)
}

// Write writes it.
func (f *Fixture) Write(path string) error {
	content, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}

// TakeRows keeps what stands in Mattermost's database.
func (f *Fixture) TakeRows(ctx context.Context, dsn string) error {
	database, err := sql.Open("postgres", dsn)
	if err != nil {
		return err
	}
	defer database.Close()
	f.Captured, f.Tables = time.Now().UnixMilli(), map[string]json.RawMessage{}
	for _, table := range tables {
		var rows []byte
		// Names of tables are our own.
		if err := database.QueryRowContext(ctx, "SELECT coalesce(json_agg(t), '[]') FROM "+table+" t").Scan(&rows); err != nil {
			return fmt.Errorf("cannot read %s: %w", table, err)
		}
		f.Tables[table] = rows
	}
	return nil
}

// PutRows puts the rows into an empty database with Mattermost's tables. What expires is as long from its end as it was.
func (f *Fixture) PutRows(ctx context.Context, dsn string) error {
	database, err := sql.Open("postgres", dsn)
	if err != nil {
		return err
	}
	defer database.Close()
	for _, table := range tables {
		statement := "INSERT INTO " + table + " SELECT * FROM json_populate_recordset(null::" + table + ", $1) ON CONFLICT DO NOTHING"
		if _, err := database.ExecContext(ctx, statement, string(f.Tables[table])); err != nil {
			return fmt.Errorf("cannot write %s: %w", table, err)
		}
	}
	// Older servers do not know the hashes of newer ones.
	hash, err := bcrypt.GenerateFromPassword([]byte(mattermost.Password), bcrypt.MinCost)
	if err != nil {
		return err
	}
	if _, err := database.ExecContext(ctx, "UPDATE users SET password = $1 WHERE password <> ''", string(hash)); err != nil {
		return err
	}
	age := time.Now().UnixMilli() - f.Captured
	_, err = database.ExecContext(ctx, "UPDATE pluginkeyvaluestore SET expireat = expireat + $1 WHERE expireat > 0", age)
	return err
}

// TakeTeleport keeps the files of the double's folder.
func (f *Fixture) TakeTeleport(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	f.Teleport = map[string]string{}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		f.Teleport[entry.Name()] = string(content)
	}
	return nil
}

// PutTeleport writes the files into a folder for a double.
func (f *Fixture) PutTeleport(dir string) error {
	for name, content := range f.Teleport {
		if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			return fmt.Errorf("%q is no name of a file", name)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
