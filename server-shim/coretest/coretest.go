// Package coretest finds the core for tests.
package coretest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Path is where the built core is. The test fails where it has not been built.
func Path(t testing.TB) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "..", "..", "build", "core.wasm")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the core is not built, run `make core` first: %v", err)
	}
	return path
}
