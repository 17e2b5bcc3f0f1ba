// Package child runs servers as child processes that never outlive the program that started them.
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Command says what to run.
type Command struct {
	// Path of the executable.
	Path string
	// Args are its arguments, without the executable's own name.
	Args []string
	// Dir is the working directory.
	Dir string
	// Env is the whole environment; see CleanEnv.
	Env []string
	// LogPath is the file that takes what the process writes. It is appended to.
	LogPath string
	// Ready tells whether the process serves; it is asked again and again. Nil: no wait.
	Ready func(ctx context.Context) bool
	// ReadyTimeout bounds the wait; 0 means a minute.
	ReadyTimeout time.Duration
	// StopSignal asks the process to end well; 0 means SIGTERM. It is also what the kernel sends when we die.
	StopSignal syscall.Signal
	// User to run as, where it is not ours.
	User *syscall.Credential
}

// Process is a running child in a process group of its own.
type Process struct {
	command Command
	cmd     *exec.Cmd
	done    chan struct{}
	err     error
}

// starts are made on one thread that never ends, because the kernel takes a thread's end for its parent's death.
var (
	starts    = make(chan func())
	startOnce sync.Once
)

func onStarterThread(start func() error) error {
	startOnce.Do(func() {
		go func() {
			runtime.LockOSThread()
			for f := range starts {
				f()
			}
		}()
	})
	result := make(chan error)
	starts <- func() { result <- start() }
	return <-result
}

// Start runs the command and waits until it is ready. An error carries the end of the process' log.
func Start(ctx context.Context, command Command) (*Process, error) {
	log, err := os.OpenFile(command.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	// The process has its own handle on the log.
	defer log.Close()
	if command.StopSignal == 0 {
		command.StopSignal = syscall.SIGTERM
	}
	cmd := exec.Command(command.Path, command.Args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = command.Dir, command.Env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: command.StopSignal, Credential: command.User}
	if err := onStarterThread(cmd.Start); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", command.Path, err)
	}
	process := &Process{command: command, cmd: cmd, done: make(chan struct{})}
	go func() {
		process.err = cmd.Wait()
		close(process.done)
	}()
	if command.Ready == nil {
		return process, nil
	}
	timeout := command.ReadyTimeout
	if timeout == 0 {
		timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for !command.Ready(ctx) {
		select {
		case <-process.done:
			return nil, fmt.Errorf("%s ended while starting (%v); its last words:\n%s", command.Path, process.err, process.Tail(4000))
		case <-ctx.Done():
			process.Kill()
			return nil, fmt.Errorf("%s did not get ready within %s; its last words:\n%s", command.Path, timeout, process.Tail(4000))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return process, nil
}

// Pid is the process' id, and its group's.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop asks the process to end, waits, and kills what is left of its group.
func (p *Process) Stop(patience time.Duration) {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(p.command.StopSignal)
	select {
	case <-p.done:
	case <-time.After(patience):
	}
	p.Kill()
}

// Kill ends the process and its whole group at once (SIGKILL).
func (p *Process) Kill() {
	if p == nil {
		return
	}
	_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
	<-p.done
}

// Tail answers the end of the process' log, at most size bytes.
func (p *Process) Tail(size int64) string { return Tail(p.command.LogPath, size) }

// Tail answers the end of a file, at most size bytes; nothing where it cannot be read.
func Tail(path string, size int64) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	if end, err := file.Seek(0, io.SeekEnd); err == nil {
		_, _ = file.Seek(max(0, end-size), io.SeekStart)
	}
	text, _ := io.ReadAll(file)
	return string(text)
}

// CleanEnv is a small environment of our own, in which nothing of the developer's leaks into a server: PATH, a home, a
// folder for temporary files, and a proxy that nobody listens at for everything but loopback.
func CleanEnv(home, temp string, more ...string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + temp, "LANG=C.UTF-8",
		"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1,localhost,::1",
	}
	// Of two values the later one counts.
	return append(env, more...)
}

// DescendantsOf lists the processes that descend from pid and whose command line contains text.
func DescendantsOf(pid int, text string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	parents := map[int]int{}
	for _, entry := range entries {
		var id int
		if _, err := fmt.Sscanf(entry.Name(), "%d", &id); err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
		if err != nil {
			continue
		}
		// The name in brackets may hold anything, so what counts begins behind the last bracket.
		_, rest, _ := cutLast(string(stat), ") ")
		var state string
		var parent int
		if _, err := fmt.Sscanf(rest, "%s %d", &state, &parent); err == nil && state != "Z" {
			parents[id] = parent
		}
	}
	var found []int
	for id := range parents {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id))
		if errors.Is(err, os.ErrNotExist) || !strings.Contains(strings.ReplaceAll(string(line), "\x00", " "), text) {
			continue
		}
		for ancestor := parents[id]; ancestor > 1; ancestor = parents[ancestor] {
			if ancestor == pid {
				found = append(found, id)
				break
			}
		}
	}
	return found, nil
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}
