package wasm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero"
)

// openCache opens the first of the directories that is ours alone and can be written; nil where there is none. The cache
// holds machine code that will be run: whoever could write there could run theirs in our place. What is to be said about
// directories that are not used for that reason comes along.
func openCache(directories []string) (wazero.CompilationCache, []string) {
	var notes []string
	for _, directory := range directories {
		if directory == "" {
			continue
		}
		directory = filepath.Clean(directory)
		// Not os.MkdirAll for the last part: that one would follow a link.
		if err := os.MkdirAll(filepath.Dir(directory), 0o700); err != nil {
			continue
		}
		if err := os.Mkdir(directory, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			continue
		}
		if file, err := os.Lstat(directory); err != nil || file.Mode().IsRegular() {
			continue
		}
		if err := isOurs(directory); err != nil {
			notes = append(notes, fmt.Sprintf("The folder %s is not used for compiled code, so the plugin may start more "+
				"slowly: %v. Delete the folder; the plugin makes it again.", directory, err))
			continue
		}
		probe, err := os.CreateTemp(directory, "probe-")
		if err != nil {
			continue
		}
		_ = probe.Close()
		_ = os.Remove(probe.Name())
		if cache, err := wazero.NewCompilationCacheWithDir(directory); err == nil {
			return cache, notes
		}
	}
	return nil, notes
}

// isOurs is an error about a folder that others could have put something into: it, and all in it, must belong to the user
// that we run as, nothing may be a link, and nobody else may have any right to the folder. It is looked at once: with
// these rights nobody else can change it afterwards.
func isOurs(directory string) error {
	top, err := os.Lstat(directory)
	if err != nil {
		return err
	}
	if !top.IsDir() {
		return errors.New("it is a link, not a folder")
	}
	if err := onlyOurs(top); err != nil {
		return err
	}
	return filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if !info.IsDir() && !info.Mode().IsRegular() {
			return fmt.Errorf("%s in it is neither a file nor a folder", path)
		}
		if !belongsToUs(info) {
			return fmt.Errorf("%s in it belongs to another user", path)
		}
		return nil
	})
}
