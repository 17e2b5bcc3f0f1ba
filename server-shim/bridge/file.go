package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

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

// fileTimeout bounds how long a file may take: one on a network that is gone takes for ever.
const fileTimeout = 10 * time.Second

// inTime waits for read, but no longer than a file may take, and no longer than ctx.
func inTime(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fileTimeout)
	defer cancel()
	type result struct {
		content []byte
		err     error
	}
	results := make(chan result, 1)
	go func() {
		content, err := read()
		results <- result{content, err}
	}()
	select {
	case r := <-results:
		return r.content, r.err
	case <-ctx.Done():
		return nil, refused(connect.CodeUnavailable, "the file system does not answer")
	}
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
