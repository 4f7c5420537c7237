package dockertest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// held is what a process that holds a daemon tells of it.
type held struct {
	Dir    string
	Keeper int    // its first process
	Pids   string // their namespace
}

// hold starts a daemon with a container, tells of it, and waits to be killed.
func hold(ctx context.Context) error {
	d, err := Start(ctx, Options{})
	if err != nil {
		return err
	}
	ref, err := d.Busybox(ctx)
	if err != nil {
		return err
	}
	var made struct{ ID string }
	config := map[string]any{"Image": ref, "Cmd": []string{"sleep", "1000"}, "HostConfig": map[string]any{"Init": false}}
	if err := d.Call(ctx, http.MethodPost, "/containers/create", config, &made); err != nil {
		return err
	}
	if err := d.Call(ctx, http.MethodPost, "/containers/"+made.ID+"/start", nil, nil); err != nil {
		return err
	}
	h := held{Dir: d.cell.dir, Keeper: d.cell.keeper.Process.Pid}
	if h.Pids, err = os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", h.Keeper)); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(h); err != nil {
		return err
	}
	select {}
}

// holder starts a process that holds a daemon.
func holder(t *testing.T) (*exec.Cmd, held) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), holding+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be dead already
		_ = cmd.Wait()         // it was killed
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	var h held
	if !lines.Scan() {
		t.Fatal("the process that holds a daemon has ended")
	}
	if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
		t.Fatal(err)
	}
	return cmd, h
}

func TestNothingOfADaemonOutlivesItsTestProcess(t *testing.T) {
	t.Parallel()
	Shared(t) // fails without a way to start one
	cmd, h := holder(t)
	// dockerd, containerd, the shim, the container and the keeper
	if got := processes(t, h.Pids); len(got) < 5 {
		t.Fatalf("the daemon has the processes %q", got)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, func() error { return h.nothing(t) })
}

func TestWhatTwoKilledProcessesLeftIsRemovedByTheNext(t *testing.T) {
	t.Parallel()
	Shared(t)
	cmd, h := holder(t)
	if err := syscall.Kill(h.Keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, func() error {
		if got := processes(t, h.Pids); len(got) > 0 {
			return fmt.Errorf("the processes %q live", got)
		}
		return nil
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, func() error {
		if err := sweep(); err != nil {
			return err
		}
		return h.nothing(t)
	})
}

func TestASweepLeavesDaemonsInUse(t *testing.T) {
	t.Parallel()
	d := New(t, Options{})
	if err := sweep(); err != nil {
		t.Error(err)
	}
	run(t, d, map[string]any{"Image": d.Image(t), "Cmd": []string{"true"}})
}

// nothing reports what there is of a daemon.
func (h *held) nothing(t *testing.T) error {
	if got := processes(t, h.Pids); len(got) > 0 {
		return fmt.Errorf("the processes %q live", got)
	}
	if _, err := os.Lstat(h.Dir); err == nil {
		return fmt.Errorf("the folder %s is there", h.Dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	groups, err := cgroups(filepath.Base(h.Dir))
	if err == nil && len(groups) > 0 {
		err = fmt.Errorf("the control groups %q are there", groups)
	}
	return err
}

// processes lists those in a namespace of process ids or in one below it.
func processes(t *testing.T, namespace string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		// A container has a namespace of its own, and the cell as its parent's.
		for pid := entry.Name(); pid != "0" && pid != "1"; pid = parent(pid) {
			if link, err := os.Readlink("/proc/" + pid + "/ns/pid"); err == nil && link == namespace {
				found = append(found, entry.Name())
				break
			}
		}
	}
	return found
}

func parent(pid string) string {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return "0"
	}
	_, after, _ := strings.Cut(string(status), "\nPPid:\t")
	ppid, _, _ := strings.Cut(after, "\n")
	return ppid
}

// within waits until a condition has no error.
func within(t *testing.T, limit time.Duration, condition func() error) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %v %v", limit, err)
		}
	}
}
