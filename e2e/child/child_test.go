package child

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func run(t *testing.T, script string, ready func(context.Context) bool) (*Process, error) {
	t.Helper()
	dir := t.TempDir()
	return Start(context.Background(), Command{
		Path: "/bin/sh", Args: []string{"-c", script}, Dir: dir, Env: CleanEnv(dir, dir),
		LogPath: filepath.Join(dir, "log"), Ready: ready, ReadyTimeout: 30 * time.Second,
	})
}

func TestAProcessThatEndsWhileStartingIsAnErrorWithItsLastWords(t *testing.T) {
	_, err := run(t, "echo no database; exit 3", func(context.Context) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "no database") {
		t.Fatalf("got %v, want an error with the process' words", err)
	}
}

func TestKillEndsTheWholeGroup(t *testing.T) {
	process, err := run(t, "sleep 3600 & echo $! > grandchild; wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	var grandchildren []int
	for deadline := time.Now().Add(30 * time.Second); len(grandchildren) == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if grandchildren, err = DescendantsOf(process.Pid(), "sleep 3600"); err != nil {
			t.Fatal(err)
		}
	}
	if len(grandchildren) != 1 {
		t.Fatalf("got %v, want one grandchild", grandchildren)
	}
	process.Kill()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(grandchildren[0]) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") || syscall.Kill(grandchildren[0], 0) != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the grandchild is still there")
		}
	}
}

func TestTheEnvironmentHoldsNothingOfTheDevelopers(t *testing.T) {
	t.Setenv("MM_SQLSETTINGS_DATASOURCE", "postgres://somewhere")
	if text := strings.Join(CleanEnv("/h", "/t"), "\n"); strings.Contains(text, "MM_") {
		t.Fatalf("it does: %s", text)
	}
}
