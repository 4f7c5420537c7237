package dockertest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cell is the namespaces that one dockerd of ours lives in, seen from outside. Their
// first process, the keeper, is this program once more.
type cell struct {
	dir      string
	keeper   *exec.Cmd
	commands io.WriteCloser // the keeper ends when it is closed, also by our death
	gone     chan struct{}  // closed when the keeper has ended

	mu   sync.Mutex
	down chan struct{} // closed while dockerd does not run
}

// newCell makes the cell of a dockerd and tells its address. It does not start it.
func newCell(ctx context.Context, o Options) (_ *cell, host string, err error) {
	if _, err := programs(); err != nil {
		return nil, "", err
	}
	if err := sweep(); err != nil {
		return nil, "", fmt.Errorf("remove what an earlier daemon left: %w", err)
	}
	dir, lock, err := newFolder()
	if err != nil {
		return nil, "", err
	}
	defer lock.Close() // the keeper has it
	c := &cell{dir: dir, gone: make(chan struct{}), down: make(chan struct{})}
	close(c.down)
	if err := c.keep(ctx, o, lock); err != nil {
		return nil, "", errors.Join(err, removeFolder(dir))
	}
	return c, socket(dir), nil
}

// keep starts the keeper and waits until the cell is ready.
func (c *cell) keep(ctx context.Context, o Options, lock *os.File) error {
	plan, err := newPlan(c.dir, o)
	if err != nil {
		return err
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	mounts, err := os.Open("/proc/self/ns/mnt")
	if err != nil {
		return err
	}
	defer mounts.Close()
	events, told, err := os.Pipe()
	if err != nil {
		return err
	}
	defer told.Close()
	// It outlives the context: its end is that of its commands.
	c.keeper = exec.CommandContext(context.WithoutCancel(ctx), "/proc/self/exe")
	c.keeper.Args = []string{"dockertest-keeper", c.dir}
	c.keeper.Env = append(os.Environ(), planVariable+"="+string(text))
	c.keeper.Dir = "/"
	c.keeper.Stdout, c.keeper.Stderr = log, log
	c.keeper.ExtraFiles = []*os.File{keeperLock: lock, keeperEvents: told, keeperMounts: mounts}
	c.keeper.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Setsid:     true, // a Ctrl-C at the terminal is for the test process, not for it
	}
	if c.commands, err = c.keeper.StdinPipe(); err == nil {
		err = c.keeper.Start()
	}
	if err != nil {
		events.Close()
		return fmt.Errorf("make the namespaces of a Docker daemon: %w", err)
	}
	told.Close()
	lines := bufio.NewScanner(events)
	_ = events.SetReadDeadline(time.Now().Add(patience))
	if !lines.Scan() || lines.Text() != "ready" {
		events.Close()
		c.commands.Close()
		_ = c.keeper.Process.Kill() // it is not of use, however far it came
		return fmt.Errorf("make the namespaces of a Docker daemon: %w; its log: %s", c.keeper.Wait(), c.log(20))
	}
	_ = events.SetReadDeadline(time.Time{})
	go c.watch(events, lines)
	return nil
}

// watch follows dockerd's ends until the one of the keeper.
func (c *cell) watch(events *os.File, lines *bufio.Scanner) {
	defer events.Close()
	for lines.Scan() {
		c.mu.Lock()
		if c.runs() {
			close(c.down)
		}
		c.mu.Unlock()
	}
	_ = c.keeper.Wait() // how it ended is nothing to us
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs() {
		close(c.down)
	}
	close(c.gone)
}

func (c *cell) runs() bool {
	select {
	case <-c.down:
		return false
	default:
		return true
	}
}

// start starts dockerd. The channel is closed when it has ended.
func (c *cell) start() (down <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs() {
		return nil, errors.New("dockertest: dockerd runs already")
	}
	if _, err := io.WriteString(c.commands, "start\n"); err != nil {
		return nil, fmt.Errorf("dockertest: start dockerd: its namespaces are gone: %w", err)
	}
	c.down = make(chan struct{})
	return c.down, nil
}

// end ends dockerd by "kill" or "stop", unless it does not run.
func (c *cell) end(how string, within time.Duration) error {
	c.mu.Lock()
	down := c.down
	_, err := io.WriteString(c.commands, how+"\n")
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("dockertest: %s dockerd: its namespaces are gone: %w", how, err)
	}
	select {
	case <-down:
		return nil
	case <-time.After(within):
		return fmt.Errorf("dockertest: %s dockerd: it still runs after %v; its log ends with:\n%s", how, within, c.log(20))
	}
}

// close ends all in the cell and removes it.
func (c *cell) close() error {
	c.commands.Close()
	select {
	case <-c.gone:
	case <-time.After(patience):
		_ = c.keeper.Process.Kill() // the kernel ends the rest
		<-c.gone
	}
	return removeFolder(c.dir)
}

// log gives the last lines of what dockerd logged.
func (c *cell) log(lines int) string {
	text, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// within calls f on a thread that is in the cell's network.
func (c *cell) within(f func()) error {
	network, err := os.Open(c.network())
	if err != nil {
		return fmt.Errorf("dockertest: %w", err)
	}
	defer network.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends in that network
		if err = unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err == nil {
			f()
		}
	}()
	<-done
	return err
}

// network is the file of the cell's network namespace.
func (c *cell) network() string { return fmt.Sprintf("/proc/%d/ns/net", c.keeper.Process.Pid) }
