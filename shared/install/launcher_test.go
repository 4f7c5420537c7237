//go:build unix

package install_test

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/install"
)

// launch starts an installed provider as servers do.
func launch(t *testing.T, script string, args ...string) (cmd *exec.Cmd, dir string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("this test needs Node: ", err)
	}
	dir = put(t, install.In(filepath.Join(t.TempDir(), "providers")), parts(t, "1.0.0", script), install.Options{}).Dir
	cmd = exec.CommandContext(t.Context(), node, append([]string{filepath.Join(dir, "dist", "index.js")}, args...)...)
	cmd.WaitDelay = 10 * time.Second
	return cmd, dir
}

func TestTheLauncherPassesArgumentsVariablesStreamsAndTheStatus(t *testing.T) {
	cmd, _ := launch(t, `echo "$# $1 [$2] $SOME_VARIABLE"; cat; echo problem >&2; exit 7`, "one", "two words")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Stdin = &stdout, &stderr, strings.NewReader("from stdin")
	cmd.Env = append(os.Environ(), "SOME_VARIABLE=$(value)")
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("it ended with %v", err)
	}
	if is, want := stdout.String(), "2 one [two words] $(value)\nfrom stdin"; is != want || stderr.String() != "problem\n" {
		t.Errorf("it printed %q and %q, want %q", is, stderr.String(), want)
	}
}

func TestTheLauncherEndsByTheSignalThatEndedTheProgram(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGABRT} {
		cmd, _ := launch(t, "kill -"+strconv.Itoa(int(sig))+" $$; sleep 60")
		_ = cmd.Run()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != sig {
			t.Errorf("after %v it ended with %v", sig, cmd.ProcessState)
		}
	}
}

// started starts a program that prints its pid first, and reads that.
func started(t *testing.T, cmd *exec.Cmd) (lines *bufio.Scanner, pid int) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines = bufio.NewScanner(out)
	if lines.Scan() {
		pid, err = strconv.Atoi(lines.Text())
	}
	if pid == 0 {
		t.Fatalf("the program printed no pid, but %q (%v)", lines.Text(), err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	return lines, pid
}

func TestSignalsReachTheProgramOnce(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			cmd, _ := launch(t, `n=0; trap 'n=$((n+1))' `+name+`; echo $$; while [ $n = 0 ]; do sleep 0.05; done; sleep 0.3; echo "signals $n"; exit 3`)
			// As a terminal does, and a server that ends a group: all that is in it.
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			lines, _ := started(t, cmd)
			if err := syscall.Kill(-cmd.Process.Pid, sig); err != nil {
				t.Fatal(err)
			}
			lines.Scan()
			if lines.Text() != "signals 1" {
				t.Errorf("the program says %q", lines.Text())
			}
			if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 3 {
				t.Errorf("the launcher ended with %v", cmd.ProcessState)
			}
		})
	}
}

func TestTheProgramIsToldWhenTheOneThatStartedTheLauncherIsGone(t *testing.T) {
	cmd, dir := launch(t, `trap 'echo told; exit 0' TERM; echo $$; while :; do sleep 0.05; done`)
	// A shell is in between, which is killed.
	between := exec.CommandContext(t.Context(), "sh", "-c", `"$0" "$1" & wait`, cmd.Path, filepath.Join(dir, "dist", "index.js"))
	between.WaitDelay = 10 * time.Second
	lines, _ := started(t, between)
	if err := between.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	lines.Scan()
	if lines.Text() != "told" {
		t.Errorf("the program says %q", lines.Text())
	}
}

func TestTheLauncherSaysWhenNoProgramFits(t *testing.T) {
	for name, c := range map[string]struct {
		change func(bin string) error
		want   string
	}{
		"another platform's": {func(bin string) error {
			return os.Rename(filepath.Join(bin, string(install.Here())), filepath.Join(bin, "plan9-mips"))
		}, ", but for plan9-mips. Install one"},
		"none at all": {os.RemoveAll, "Install one that fits with: codebolt-providers install example"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, dir := launch(t, "exit 0")
			if err := c.change(filepath.Join(dir, "bin")); err != nil {
				t.Fatal(err)
			}
			out, err := cmd.CombinedOutput()
			want := "example: there is no program for " + string(install.Here()) + " in "
			if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(string(out), want) || !strings.Contains(string(out), c.want) || strings.Count(string(out), "\n") != 1 {
				t.Errorf("it ended with %v and printed %q", err, out)
			}
		})
	}
}

func TestTheLauncherStartsAProgramThatLostItsMode(t *testing.T) {
	cmd, dir := launch(t, "echo here")
	if err := os.Chmod(filepath.Join(dir, "bin", string(install.Here()), "example-provider"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "here\n" {
		t.Errorf("it ended with %v and printed %q", err, out)
	}
}
