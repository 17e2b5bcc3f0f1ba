package bridge

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
)

func TestAFileIsReadOrItIsSaidWhyNot(t *testing.T) {
	directory := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	read := func(path string) ([]byte, error) {
		response, err := New(&discard{}).ReadFile(context.Background(), connect.NewRequest(&pb.ReadFileRequest{Path: path}))
		if err != nil {
			return nil, err
		}
		return response.Msg.GetContent(), nil
	}
	small, largest := []byte("identity"), bytes.Repeat([]byte("x"), largestFile)
	if content, err := read(file("small", small)); !bytes.Equal(content, small) || err != nil {
		t.Errorf("got %q, %v", content, err)
	}
	if content, err := read(file("largest", largest)); !bytes.Equal(content, largest) || err != nil {
		t.Errorf("got %d bytes, %v", len(content), err)
	}
	link := filepath.Join(directory, "link")
	if err := os.Symlink("small", link); err != nil {
		t.Fatal(err)
	}
	if content, err := read(link); !bytes.Equal(content, small) || err != nil {
		t.Errorf("through a link: %q, %v", content, err)
	}
	for name, test := range map[string]struct {
		path string
		code connect.Code
	}{
		"nothing there":     {filepath.Join(directory, "missing"), connect.CodeNotFound},
		"below a file":      {filepath.Join(directory, "small", "below"), connect.CodeInvalidArgument},
		"too large":         {file("large", append(largest, 'x')), connect.CodeInvalidArgument},
		"a directory":       {directory, connect.CodeInvalidArgument},
		"a device":          {"/dev/zero", connect.CodeInvalidArgument},
		"a relative path":   {"small", connect.CodeInvalidArgument},
		"no path":           {"", connect.CodeInvalidArgument},
		"a zero in the way": {"/etc/\x00", connect.CodeInvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			if content, err := read(test.path); connect.CodeOf(err) != test.code {
				t.Errorf("got %d bytes and %v", len(content), err)
			}
		})
	}
}

func TestAFileThatMayNotBeReadIsSaidToBe(t *testing.T) {
	if err := fileError("/secret", os.ErrPermission); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("secret"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(path); err == nil {
		return // Nothing is forbidden to root.
	}
	if _, err := readFile(path); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatTakesForEverIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	never := make(chan struct{})
	defer close(never)
	content, err := inTime(ctx, func() ([]byte, error) {
		<-never
		return []byte("late"), nil
	})
	if content != nil || connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("got %q, %v", content, err)
	}
}
