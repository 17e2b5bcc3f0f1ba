package lease

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// process names a process so that another one on the same host can tell whether it still runs. Only Linux says enough
// for that; elsewhere Host is empty.
type process struct {
	// Host is the running kernel and the process-id namespace: within the two, a process id means the same to all.
	// A host's name would not do, containers may share one.
	Host string `json:"host,omitempty"`
	// PID is the process id.
	PID int `json:"pid,omitempty"`
	// Started is when the process started, in the kernel's ticks: process ids are used again.
	Started string `json:"started,omitempty"`
}

// thisProcess names the process that asks; empty where that cannot be told.
func thisProcess() process {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return process{}
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return process{}
	}
	self, ok := stat("self")
	// Where /proc is another namespace's, the numbers in it are not ours.
	if !ok || self.pid != strconv.Itoa(os.Getpid()) {
		return process{}
	}
	return process{
		Host:    strings.TrimSpace(string(boot)) + "/" + namespace,
		PID:     os.Getpid(),
		Started: self.started,
	}
}

// isGone says whether a process is known to run no more. In doubt it is not.
func (p process) isGone() bool {
	if p.Host == "" || p.PID <= 0 || p.Host != thisProcess().Host {
		return false
	}
	found, err := os.FindProcess(p.PID)
	if err != nil {
		return false
	}
	defer func() { _ = found.Release() }()
	// The signal 0 only asks whether there is such a process.
	if err := found.Signal(syscall.Signal(0)); errors.Is(err, os.ErrProcessDone) {
		return true
	}
	now, ok := stat(strconv.Itoa(p.PID))
	// A zombie has been killed, and waits for its parent to take note.
	return ok && (now.started != p.Started || now.state == "Z" || now.state == "X")
}

// status is what the kernel says of a process, see proc_pid_stat(5).
type status struct {
	pid, state, started string
}

func stat(process string) (status, bool) {
	text, err := os.ReadFile("/proc/" + process + "/stat")
	if err != nil {
		return status{}, false
	}
	// The second field is the program's name in parentheses, and may hold anything.
	pid, _, _ := strings.Cut(string(text), " ")
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const stateAt, startedAt = 3 - 3, 22 - 3
	if len(fields) <= startedAt {
		return status{}, false
	}
	return status{pid: pid, state: fields[stateAt], started: fields[startedAt]}, true
}
