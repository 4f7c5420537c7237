//go:build unix

package agentcall_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/agentcall"
)

func TestACommandIsAnsweredWithItsOutputsApartAndTogether(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	expect(t, c.run(`echo out; sleep 0.1; echo wrong >&2; pwd`), frame{
		"type": "commandFinish", "success": true, "exitCode": 0, "error": nil,
		"stdout": "out\n" + resolved(t, c.dir) + "\n", "stderr": "wrong\n",
	})
	expect(t, c.run(`true`), frame{"success": true, "message": "Command executed successfully", "output": ""})
	expect(t, c.ask(frame{"type": "executeCommand", "message": "true", "returnEmptyStringOnSuccess": true}), frame{"success": true, "message": ""})
}

func TestAnExitCodeIsTheCommandsOwnAndItsOutputIsShown(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	expect(t, c.run(`echo so far; exit 3`), frame{"type": "commandFinish", "success": false, "exitCode": 3, "message": "so far\n", "error": nil})
	expect(t, c.run(`kill -KILL $$`), frame{"type": "commandError", "success": false, "exitCode": 137, "error": "the command was ended by SIGKILL"})
	expect(t, c.run(`no-such-program-anywhere`), frame{"type": "commandFinish", "success": false, "exitCode": 127})
	expect(t, c.run(` `), frame{"type": "commandError", "success": false, "exitCode": 127, "code": "invalid"})
	expect(t, c.run("echo a\x00b"), frame{"type": "commandError", "success": false, "code": "invalid"})
	expect(t, c.run(`-x`), frame{"type": "commandFinish", "exitCode": 127})
}

func TestACommandThatCannotBeStartedIsAnError(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
	expect(t, c.run(`true`), frame{"type": "commandError", "success": false, "exitCode": 127, "code": "not_found"})
}

func TestACommandThatTakesTooLongIsStoppedWithItsChildren(t *testing.T) {
	t.Parallel()
	c := newConsole(t, func(o *agentcall.Options) { o.CommandTimeout = 300 * time.Millisecond })
	// Both hold the pipes, and one does not listen to SIGTERM.
	got := c.run(`(trap '' TERM; echo $BASHPID; while :; do sleep 1; done) & echo $$; sleep 1000; echo late`)
	expect(t, got, frame{"type": "commandError", "success": false, "exitCode": 124, "code": "timeout"})
	for _, pid := range strings.Fields(got["output"].(string)) {
		awaitDeath(t, pid)
	}
}

func TestWhatACommandLeavesRunningDoesNotHoldTheAnswerAndEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	start := time.Now()
	got := c.run(`sleep 1000 & echo $!`)
	expect(t, got, frame{"type": "commandFinish", "success": true})
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the answer took %s", took)
	}
	pid := strings.TrimSpace(got["stdout"].(string))
	if !alive(t, pid) {
		t.Error("a server that a command starts must outlive it")
	}
	c.caller.Close()
	awaitDeath(t, pid)
}

func TestOutputOverTheLimitKeepsItsBeginningAndEnd(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	got := c.run(`echo first; head -c 3000000 /dev/zero | tr '\0' x; echo; echo ü last`)
	expect(t, got, frame{"success": true, "truncated": true})
	out := got["output"].(string)
	if !strings.HasPrefix(out, "first\n") || !strings.HasSuffix(out, "ü last\n") || !strings.Contains(out, "bytes are left out here") || len(out) > 1<<20+100 {
		t.Errorf("%d bytes, %q … %q", len(out), out[:20], out[len(out)-20:])
	}
	expect(t, c.run(`printf 'a\xffb'`), frame{"stdout": "a\uFFFDb"})
}

func TestAStreamTellsAllSoFarAndLaterWhatIsNew(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.write("go", "")
	c.send(frame{"type": "executeCommandWithStream", "requestId": "s", "message": `echo one; while [ -e go ]; do sleep 0.01; done; echo two; yes ü | head -c 150000; exit 4`})
	c.output("s", "one\n")
	if err := os.Remove(filepath.Join(c.dir, "go")); err != nil {
		t.Fatal(err)
	}
	expect(t, c.answer("s"), frame{"type": "commandFinish", "success": false, "exitCode": 4})
	whole := ""
	delta := false
	for _, f := range c.heard() {
		if f["type"] != "commandOutput" {
			continue
		}
		text := f["output"].(string)
		if f["delta"] == true {
			delta = true
			whole += text
			continue
		}
		if delta || !strings.HasPrefix(text, whole) || len(text) > 64<<10 {
			t.Errorf("not all so far: %d bytes", len(text))
		}
		whole = text
	}
	if !delta || whole != "one\ntwo\n"+strings.Repeat("ü\n", 50000) {
		t.Errorf("delta %t, %d bytes", delta, len(whole))
	}
}

func TestAStreamsEndIsHeldWhileTheAgentWaitsForACommand(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.write("go", "")
	c.send(frame{"type": "executeCommand", "requestId": "e", "message": `while [ -e go ]; do sleep 0.01; done; echo command`})
	c.send(frame{"type": "executeCommandWithStream", "requestId": "s", "message": `echo streamed`})
	c.output("s", "streamed\n")
	// The stream has nothing more to do; the command ends only now.
	time.AfterFunc(time.Second, func() { _ = os.Remove(filepath.Join(c.dir, "go")) })
	expect(t, c.answer("s"), frame{"type": "commandFinish", "success": true})
	order := []any{}
	for _, f := range c.heard() {
		if f["type"] == "commandFinish" {
			order = append(order, f["requestId"])
		}
	}
	if len(order) != 2 || order[0] != "e" {
		t.Errorf("order of the answers: %v", order)
	}
}

func TestAnInterruptEndsTheLatestCommandThatLasts(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	expect(t, c.ask(frame{"type": "sendInterruptToTerminal"}), frame{"type": "terminalInterrupted", "success": true, "interrupted": false})
	c.send(frame{"type": "executeCommandRunUntilInterrupt", "requestId": "first", "message": `exec sleep 1000`})
	c.send(frame{"type": "executeCommandRunUntilError", "requestId": "second", "message": `trap 'echo bye; exit 5' INT; touch ready; while :; do sleep 0.05; done`})
	awaitFile(t, filepath.Join(c.dir, "ready"))
	expect(t, c.ask(frame{"type": "sendInterruptToTerminal"}), frame{"success": true, "interrupted": true})
	expect(t, c.answer("second"), frame{"exitCode": 5, "success": false, "stdout": "bye\n"})
	expect(t, c.ask(frame{"type": "sendInterruptToTerminal"}), frame{"interrupted": true})
	expect(t, c.answer("first"), frame{"type": "commandError", "exitCode": 130, "success": false})
	expect(t, c.ask(frame{"type": "sendInterruptToTerminal"}), frame{"interrupted": false})
}

func TestALastingCommandHasNoTimeLimit(t *testing.T) {
	t.Parallel()
	c := newConsole(t, func(o *agentcall.Options) { o.CommandTimeout = 50 * time.Millisecond })
	for _, typ := range []string{"executeCommandRunUntilError", "executeCommandRunUntilInterrupt", "executeCommandWithStream"} {
		expect(t, c.ask(frame{"type": typ, "message": "sleep 0.3; exit 6"}), frame{"exitCode": 6})
	}
}

func TestCommandsWithoutIdsAreCarriedOutOneAfterTheOther(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.write("go", "")
	c.send(frame{"type": "executeCommand", "message": `while [ -e go ]; do sleep 0.01; done; echo 1; sleep 0.1`})
	c.send(frame{"type": "executeCommand", "message": `echo 2; exit 1`})
	c.send(frame{"type": "executeCommand", "message": `echo 3`})
	expect(t, c.run(`rm go; echo beside`), frame{"stdout": "beside\n"})
	c.await("the third", &c.said, 0, func(f frame) bool { return f["stdout"] == "3\n" })
	order := ""
	for _, f := range c.heard() {
		if id, ok := f["requestId"]; ok {
			if id == "" {
				t.Errorf("an empty requestId: %v", f)
			}
			continue
		}
		order += f["stdout"].(string)
	}
	if order != "1\n2\n3\n" {
		t.Errorf("order %q", order)
	}
}

func TestALastingCommandWithoutAnIdIsKnownByItsType(t *testing.T) {
	t.Parallel()
	c := newConsole(t, func(o *agentcall.Options) { o.CommandTimeout = 200 * time.Millisecond })
	c.send(frame{"type": "executeCommandRunUntilInterrupt", "message": `exec sleep 1000`})
	c.send(frame{"type": "executeCommand", "message": `exec sleep 1000`})
	// A commandError would be taken for the end of the other one.
	expect(t, c.await("the timeout", &c.said, 0, func(f frame) bool { return f["exitCode"] == 124.0 }), frame{"type": "commandFinish", "success": false, "code": "timeout"})
	c.ask(frame{"type": "sendInterruptToTerminal"})
	c.await("the end", &c.said, 0, func(f frame) bool { return f["type"] == "commandError" && f["exitCode"] == 130.0 })
}

func TestMoreCommandsThanTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	for i := range 65 {
		c.send(frame{"type": "executeCommandRunUntilError", "requestId": strconv.Itoa(i), "message": "exec sleep 1000"})
	}
	expect(t, c.answer("64"), frame{"type": "commandError", "success": false, "code": "unavailable"})
}

func TestClosingEndsAllCommandsAndWaitsForThem(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.send(frame{"type": "executeCommandWithStream", "requestId": "s", "message": `trap 'touch told; exit' TERM; echo $$; while :; do sleep 0.05; done`})
	pid := c.await("output", &c.said, 0, func(f frame) bool { return f["type"] == "commandOutput" })["output"].(string)
	c.caller.Close()
	if alive(t, strings.TrimSpace(pid)) {
		t.Error("Close has returned while a command runs")
	}
	if _, err := os.Stat(filepath.Join(c.dir, "told")); err != nil {
		t.Errorf("the command was not asked to end: %v", err)
	}
	c.caller.Close()
	c.send(frame{"type": "executeCommand", "requestId": "late", "message": "touch late"})
	if _, err := os.Stat(filepath.Join(c.dir, "late")); err == nil {
		t.Error("a command runs after Close")
	}
}

func resolved(t *testing.T, dir string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func alive(t *testing.T, pid string) bool {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatalf("no pid: %q", pid)
	}
	return !errors.Is(syscall.Kill(n, 0), syscall.ESRCH)
}

// awaitDeath waits for the end of a process that is not ours to wait for.
func awaitDeath(t *testing.T, pid string) {
	t.Helper()
	for end := time.Now().Add(patience); alive(t, pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %s does not end", pid)
		}
	}
}

func awaitFile(t *testing.T, name string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not come", name)
		}
	}
}
