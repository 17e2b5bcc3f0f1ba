package lease

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// other starts another process and says how it is named.
func other(t *testing.T) (*exec.Cmd, process) {
	t.Helper()
	command := exec.Command("sleep", "600")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	now, ok := stat(strconv.Itoa(command.Process.Pid))
	if !ok {
		t.Fatal("the kernel does not know the process")
	}
	return command, process{Host: thisProcess().Host, PID: command.Process.Pid, Started: now.started}
}

func TestAProcessIsGoneOnlyWhenItIs(t *testing.T) {
	this := thisProcess()
	if this.Host == "" || this.PID != os.Getpid() || this.Started == "" {
		t.Fatalf("this process is %+v", this)
	}
	if this.isGone() {
		t.Error("this process is gone")
	}
	command, running := other(t)
	if running.isGone() {
		t.Error("a running process is gone")
	}
	elsewhere := running
	elsewhere.Host = "another"
	if before := (process{}); before.isGone() || elsewhere.isGone() {
		t.Error("a process that cannot be known is gone")
	}
	again := running
	again.Started = "1"
	if !again.isGone() {
		t.Error("a process whose number was used again is not gone")
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// A zombie first, as nobody has waited for it; the signal takes a moment.
	for end := time.Now().Add(20 * time.Second); !running.isGone(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a killed process is not gone")
		}
	}
	_ = command.Wait()
	if !running.isGone() {
		t.Error("a process that was waited for is not gone")
	}
}

func TestTheRoleOfAKilledProcessOnTheSameHostIsTakenAtOnce(t *testing.T) {
	command, killed := other(t)
	inCluster(t, func(t *testing.T, c *cluster) {
		left, err := json.Marshal(record{Node: "killed", process: killed})
		if err != nil {
			t.Fatal(err)
		}
		c.store.value, c.store.expire = left, time.Now().Add(time.Hour)
		_, stop := c.join("a")
		defer stop()
		time.Sleep(time.Minute)
		if c.holds() != "" {
			t.Fatalf("%q took the role of a running process", c.holds())
		}
		_ = command.Process.Kill()
		_ = command.Wait()
		c.within(5*time.Second, "a")
	})
}
