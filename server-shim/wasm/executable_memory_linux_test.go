package wasm

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"io"
	"net/http"
)

// What follows makes the kernel refuse executable memory to the process from now on, as systemd's
// MemoryDenyWriteExecute does, see PR_SET_MDWE(2const). Kernels since 6.3 know it.
const (
	prSetMDWE            = 65
	prMDWERefuseExecGain = 1
)

const hardened = "TEST_WITHOUT_EXECUTABLE_MEMORY"

func TestWhereExecutableMemoryIsRefusedTheCoreIsInterpreted(t *testing.T) {
	if os.Getenv(hardened) == "" {
		// The refusal cannot be taken back, so it happens in a process of its own.
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), hardened+"=1")
		output, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		if strings.Contains(string(output), "--- SKIP") {
			t.Skip("this kernel cannot refuse executable memory to a single process")
		}
		return
	}
	runtime.LockOSThread()
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetMDWE, prMDWERefuseExecGain, 0, 0, 0, 0); errno != 0 {
		t.Skip(errno)
	}
	notes := make(chan []string, 1)
	actor, log := start(t, Config{
		Path:      relay(t, "host").file(t),
		CacheDirs: []string{t.TempDir()},
		Serve:     serving(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "here") }),
		Started:   func(_ Core, said []string) { notes <- said },
	})
	if _, content := answer(t, actor, ""); content != "here" {
		t.Errorf("got %q", content)
	}
	if said := <-notes; len(said) != 1 || said[0] != InterpretedNote {
		t.Errorf("the notes are %q", said)
	}
	if len(log.with("runs interpreted")) != 1 {
		t.Errorf("the log says %v", log.with(""))
	}
}
