package bridge

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"connectrpc.com/connect"
)

// largestFile is the most that ReadFile reads, in bytes.
const largestFile = 1 << 20

// readFile reads a file; its errors carry the codes of Bridge.ReadFile.
func readFile(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		return nil, refused(connect.CodeInvalidArgument, "%q is not an absolute path", path)
	}
	// Looked at before it is opened: opening a pipe would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, refused(connect.CodeInvalidArgument, "%s is not a file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, largestFile+1))
	if err != nil {
		return nil, fileError(path, err)
	}
	if len(content) > largestFile {
		return nil, refused(connect.CodeInvalidArgument, "%s is larger than 1 MiB", path)
	}
	return content, nil
}

func fileError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refused(connect.CodeNotFound, "there is no file %s", path)
	case errors.Is(err, fs.ErrPermission):
		return refused(connect.CodePermissionDenied, "the Mattermost server may not read %s", path)
	default:
		return refused(connect.CodeInvalidArgument, "%s cannot be read: %w", path, err)
	}
}

func refused(code connect.Code, format string, arguments ...any) error {
	return connect.NewError(code, fmt.Errorf(format, arguments...))
}
