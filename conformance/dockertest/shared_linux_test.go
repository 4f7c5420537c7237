package dockertest

import (
	"bytes"
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

func TestTheDaemonOfTheEnvironmentIsUsedAndLeftAsItWas(t *testing.T) {
	t.Parallel()
	d := New(t, Options{})
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", "^TestAContainerOfTheTestImageRuns$")
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+d.Host)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var events bytes.Buffer
	call(t, d, http.MethodGet, "/events"+query("since", "0", "until", strconv.FormatInt(time.Now().Unix()+1, 10)), nil, &events)
	if !strings.Contains(events.String(), `"Action":"die"`) {
		t.Errorf("the daemon of DOCKER_HOST ran no container; its events are:\n%s", &events)
	}
	for _, path := range []string{"/images/json?all=1", "/containers/json?all=1"} {
		var left []any
		call(t, d, http.MethodGet, path, nil, &left)
		if len(left) > 0 {
			t.Errorf("%s gives %v, want nothing", path, left)
		}
	}
}

func TestTheImageStaysWhileAnotherProcessUsesIt(t *testing.T) {
	t.Parallel()
	d := New(t, Options{})
	use := func() *Daemon {
		other, err := reach(d.Host)
		if err != nil {
			t.Fatal(err)
		}
		other.Image(t)
		return other
	}
	first, second := use(), use()
	for i, user := range []*Daemon{first, second, second} {
		if err := user.Close(); err != nil {
			t.Fatal(err)
		}
		label, err := d.label(t.Context(), ImageRef, rootLabel)
		if there := label != ""; err != nil || there != (i == 0) {
			t.Errorf("after %d have ended, the image is there: %v, %v", i+1, there, err)
		}
	}
}

func TestWithoutADaemonATestFailsAndTellsWhatToDo(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "test")
	// Not written by this process: another one that it starts meanwhile would have it open.
	if out, err := exec.CommandContext(t.Context(), "cp", self, program).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	for _, dir := range []string{filepath.Dir(program), filepath.Dir(filepath.Dir(program))} {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // others must reach the program
			t.Fatal(err)
		}
	}
	try := func(args ...string) (string, error) {
		args = append(args, "-test.v", "-test.run", "^TestAContainerOfTheTestImageRuns$")
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = "/"
		cmd.Env = []string{"DOCKER_HOST=unix:///nowhere/docker.sock", "PATH=" + os.Getenv("PATH")}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	const sentence = "there is no Docker daemon for the test, and only root can start one; start Docker, or run the tests as root"
	if out, err := try(); err == nil || !strings.Contains(out, sentence) {
		t.Errorf("without a daemon: %v\n%s", err, out)
	}
	if out, err := try("-test.short"); err != nil || !strings.Contains(out, sentence) || !strings.Contains(out, "--- SKIP") {
		t.Errorf("without a daemon, in short mode: %v\n%s", err, out)
	}
}
