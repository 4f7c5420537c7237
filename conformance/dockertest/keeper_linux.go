package dockertest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// planVariable holds the plan of the keeper, in its environment.
const planVariable = "CODEBOLT_DOCKERTEST_KEEPER"

// The keeper's open files after the three of every process.
const (
	keeperLock   = iota // of the folder, held until the keeper ends
	keeperEvents        // what it tells
	keeperMounts        // the mount namespace outside
)

// A program with this package that is started as the first process of a cell is its
// keeper, and nothing else.
func init() {
	if text := os.Getenv(planVariable); text != "" && os.Getpid() == 1 {
		os.Exit(keep(text))
	}
}

// keeper is the first process of a cell. It starts dockerd, waits for every process
// that loses its parent, and ends all when its commands end.
type keeper struct {
	plan
	events  *os.File
	outside int // the mount namespace
	dockerd int // its process, 0 while there is none
}

func keep(text string) int {
	k := &keeper{events: os.NewFile(3+keeperEvents, "events"), outside: 3 + keeperMounts}
	for file := range 3 {
		syscall.CloseOnExec(3 + file)
	}
	children, ends := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	err := json.Unmarshal([]byte(text), &k.plan)
	if err == nil {
		err = enclose()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(k.events, "ready")
	for commands := readCommands(); ; {
		select {
		case command, ok := <-commands:
			if !ok {
				return k.clear()
			}
			k.obey(command)
		case <-children:
			k.reap()
		case <-ends:
			return k.clear()
		}
	}
}

// readCommands gives the lines of standard input, and ends with it.
func readCommands() <-chan string {
	commands := make(chan string)
	go func() {
		defer close(commands)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			commands <- lines.Text()
		}
	}()
	return commands
}

// enclose makes the cell of the new namespaces: its processes see their own /proc,
// and a /run without the machine's daemons, sockets and locks.
func enclose() error {
	// The machine's mounts and unmounts reach the cell, none of the cell's leaves it.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return &os.PathError{Op: "mount", Path: "/", Err: err}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return &os.PathError{Op: "mount", Path: "/proc", Err: err}
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return &os.PathError{Op: "mount", Path: "/run", Err: err}
	}
	if err := loopback(); err != nil {
		return fmt.Errorf("set up the loopback interface: %w", err)
	}
	return nil
}

func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, lo); err != nil {
		return err
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

func (k *keeper) obey(command string) {
	switch {
	case command == "start" && k.dockerd == 0:
		var err error
		if k.dockerd, err = k.spawn(); err != nil {
			fmt.Fprintf(os.Stderr, "start %s: %v\n", k.Args[0], err)
			fmt.Fprintln(k.events, "down")
		}
	case command == "kill" && k.dockerd != 0:
		_ = syscall.Kill(k.dockerd, syscall.SIGKILL) // it is not waited for, so it is there
	case command == "stop" && k.dockerd != 0:
		_ = syscall.Kill(k.dockerd, syscall.SIGTERM) // as above
	}
}

func (k *keeper) spawn() (pid int, err error) {
	// A dockerd that was killed took its containerd along and left both numbers. By
	// now they can be another process's, which the next dockerd would wait for.
	for _, file := range []string{"/run/docker.pid", "/run/docker/containerd/containerd.pid"} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	return syscall.ForkExec(k.Args[0], k.Args, &syscall.ProcAttr{Dir: "/", Env: k.Env, Files: []uintptr{null.Fd(), 1, 2}})
}

// reap takes leave of the processes that have ended, and reports how it is when
// none is left.
func (k *keeper) reap() (none bool) {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return true
		case pid == 0:
			return false
		case pid == k.dockerd:
			k.dockerd = 0
			fmt.Fprintln(k.events, "down")
		}
	}
}

// clear ends every process of the cell and removes its folder and control groups.
// It does so outside the cell's mounts, below which there may be what is not ours.
func (k *keeper) clear() int {
	for end := time.Now().Add(patience / 2); !k.reap() && time.Now().Before(end); time.Sleep(time.Millisecond) {
		_ = syscall.Kill(-1, syscall.SIGKILL) // the one error is that there is none
	}
	runtime.LockOSThread()
	err := unix.Unshare(unix.CLONE_FS) // a thread alone may change its mounts
	if err == nil {
		err = unix.Setns(k.outside, unix.CLONE_NEWNS)
	}
	if err == nil {
		err = removeFolder(k.Dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
