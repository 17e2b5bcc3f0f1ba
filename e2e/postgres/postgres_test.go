package postgres

import (
	"context"
	"database/sql"
	"os"
	"testing"
	"time"
)

func TestDatabasesAreCopiesOfTheirTemplate(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cluster, err := Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	fills := 0
	fill := func(database string) error {
		fills++
		db, err := sql.Open("postgres", cluster.DSN(database))
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.ExecContext(ctx, "CREATE TABLE kept (number int); INSERT INTO kept VALUES (7)")
		return err
	}
	for range 2 {
		if err := cluster.Template(ctx, "filled", fill); err != nil {
			t.Fatal(err)
		}
		name, err := cluster.Create(ctx, "filled")
		if err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("postgres", cluster.DSN(name))
		if err != nil {
			t.Fatal(err)
		}
		var number int
		if err := db.QueryRowContext(ctx, "SELECT number FROM kept").Scan(&number); err != nil || number != 7 {
			t.Errorf("got %d, %v", number, err)
		}
		// Open connections do not keep a database from being dropped.
		if err := cluster.Drop(ctx, name); err != nil {
			t.Error(err)
		}
		_ = db.Close()
	}
	if fills != 1 {
		t.Errorf("the template was filled %d times, want once", fills)
	}
	cluster.Close()
	if _, err := os.Stat(cluster.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	select {
	case <-cluster.process.Done():
	default:
		t.Error("the server is still running")
	}
}
