//go:build linux

package sshtest

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// User is an ordinary user of this machine.
type User struct {
	Name, Password, Home string
	UID, GID             int
}

// users lets one be made or removed at a time.
var users sync.Mutex

// NewUser makes an ordinary user of this machine with a home, a shell and a password. It
// is removed after the test with its home, and what runs as it is ended. Only root can
// do so.
func NewUser(t testing.TB) *User {
	t.Helper()
	random := make([]byte, 5)
	for i := range random {
		random[i] = byte(rand.Uint32()) //nolint:gosec // a name that nobody has
	}
	u := &User{Name: "sshtest-" + hex.EncodeToString(random), Password: "open sesame " + hex.EncodeToString(random)}
	users.Lock()
	defer users.Unlock()
	t.Cleanup(func() {
		users.Lock()
		defer users.Unlock()
		if u.UID != 0 {
			u.end()
		}
		// Also when it was made half. Nothing is left to look for when it never was.
		if out, err := exec.CommandContext(context.Background(), "userdel", "-f", "-r", u.Name).CombinedOutput(); err != nil && !strings.Contains(string(out), "does not exist") {
			t.Errorf("userdel %s: %v: %s", u.Name, err, out)
		}
	})
	tool(t, "", "useradd", "-m", "-s", "/bin/bash", u.Name)
	tool(t, u.Name+":"+u.Password+"\n", "chpasswd", "-c", "SHA256", "-s", "1000")
	made, err := user.Lookup(u.Name)
	check(t, err)
	u.Home = made.HomeDir
	u.UID, err = strconv.Atoi(made.Uid)
	check(t, err)
	u.GID, err = strconv.Atoi(made.Gid)
	check(t, err)
	return u
}

func tool(t testing.TB, stdin string, argv ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s (it takes root, and the package passwd): %v: %s", strings.Join(argv, " "), err, out)
	}
}

// Processes are the processes that run as the user.
func (u *User) Processes() (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) == u.UID {
			if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// end ends what runs as the user, and waits for it.
func (u *User) end() {
	for range 300 {
		left := u.Processes()
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
		time.Sleep(10 * time.Millisecond)
	}
}
