//go:build unix

package wasm

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestOnlyAFolderThatIsOursAloneKeepsCompiledCode(t *testing.T) {
	path := relay(t, "host").file(t)
	serve := serving(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "here") })
	for name, test := range map[string]struct {
		// prepare makes something where the cache would be.
		prepare func(cache string) error
		says    string
	}{
		"nothing yet": {func(string) error { return nil }, ""},
		"our folder":  {func(cache string) error { return os.Mkdir(cache, 0o700) }, ""},
		"our folder with code in it": {func(cache string) error {
			if err := os.Mkdir(cache, 0o700); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(cache, "code"), nil, 0o600)
		}, ""},
		"a folder that all can read":  {func(cache string) error { return mkdir(cache, 0o755) }, "mode 0755"},
		"a folder that all can write": {func(cache string) error { return mkdir(cache, 0o777) }, "mode 0777"},
		"a folder of a group":         {func(cache string) error { return mkdir(cache, 0o770) }, "mode 0770"},
		"a link to a folder": {func(cache string) error {
			if err := os.Mkdir(cache+"-elsewhere", 0o700); err != nil {
				return err
			}
			return os.Symlink(cache+"-elsewhere", cache)
		}, "it is a link"},
		"a link to nothing": {func(cache string) error { return os.Symlink(cache+"-nowhere", cache) }, "it is a link"},
		"a link in it": {func(cache string) error {
			if err := os.Mkdir(cache, 0o700); err != nil {
				return err
			}
			return os.Symlink("/etc", filepath.Join(cache, "link"))
		}, "neither a file nor a folder"},
		"another user's folder": {func(cache string) error { return foreign(t, cache, cache) }, "it belongs to another user"},
		"another user's code in it": {func(cache string) error {
			code := filepath.Join(cache, "code")
			if err := os.Mkdir(cache, 0o700); err != nil {
				return err
			}
			return foreign(t, code, code)
		}, "belongs to another user"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			cache, next := filepath.Join(directory, "cache"), filepath.Join(directory, "next")
			if err := test.prepare(cache); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var said []string
			actor, log := start(t, Config{
				Path: path, Serve: serve, CacheDirs: []string{cache, next},
				Started: func(_ Core, notes []string) {
					mu.Lock()
					defer mu.Unlock()
					said = notes
				},
			})
			if _, content := answer(t, actor, ""); content != "here" {
				t.Errorf("got %q", content)
			}
			actor.Close()
			mu.Lock()
			defer mu.Unlock()
			if test.says == "" {
				if len(said) != 0 || len(compiled(t, cache)) == 0 {
					t.Errorf("it is not used: %v", said)
				}
				return
			}
			if len(said) != 1 || !strings.Contains(said[0], test.says) || len(log.with(test.says)) != 1 {
				t.Errorf("the notes are %v", said)
			}
			if len(compiled(t, next)) != 1 {
				t.Error("the next folder is not used")
			}
		})
	}
}

// mkdir makes a folder with a mode, whatever the process's own mask is.
func mkdir(path string, mode os.FileMode) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// foreign makes a folder that another user owns.
func foreign(t *testing.T, path, owned string) error {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return os.Chown(owned, 12345, 12345)
}
