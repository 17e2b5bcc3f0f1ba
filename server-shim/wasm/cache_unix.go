//go:build unix

package wasm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// onlyOurs is an error about a folder that another user owns, or has a right to.
func onlyOurs(folder fs.FileInfo) error {
	if !belongsToUs(folder) {
		return errors.New("it belongs to another user")
	}
	if mode := folder.Mode().Perm(); mode != 0o700 {
		return fmt.Errorf("others than the user that Mattermost runs as have rights to it (mode %04o, it must be 0700)", mode)
	}
	return nil
}

func belongsToUs(info fs.FileInfo) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(status.Uid) == int64(os.Geteuid())
}
