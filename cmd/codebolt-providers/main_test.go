//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/programtest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
)

// programs is the folder with the programs, built for these tests: they run as
// people run them.
var programs string

func TestMain(m *testing.M) {
	programtest.AtOnce(2)
	os.Exit(programtest.Main(withDaemon{m}, &programs, map[string]string{
		"codebolt-providers": ".", "codebolt-runtime": "../codebolt-runtime", "codebolt-conformance": "../codebolt-conformance", "talker": "../../conformance/stage/talker",
		"codebolt-provider-gitworktree": "../../providers/gitworktree", "codebolt-provider-local": "../../providers/local",
		"codebolt-provider-docker": "../../providers/docker", "codebolt-provider-remoteserver": "../../providers/remoteserver",
	}))
}

// desk is a project and a person's environment around it.
type desk struct {
	t              *testing.T
	project, state string
	environ        []string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	return deskAt(t, filepath.Join(t.TempDir(), "project"))
}

// deskAt is newDesk with the project in a certain place.
func deskAt(t *testing.T, project string) *desk {
	t.Helper()
	d := &desk{t: t, project: project, state: t.TempDir()}
	d.environ = append(os.Environ(), resource.EnvStateDir+"="+d.state, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost")
	d.write("README.md", "a project\n")
	d.write("src/a.txt", "one\ntwo\n")
	d.write("src/b.txt", "three\n")
	d.write(".gitignore", "*.env\n")
	d.git("init", "-q", "-b", "main")
	d.git("add", "-A")
	d.git("commit", "-qm", "first")
	t.Cleanup(d.noProcesses)
	return d
}

func (d *desk) write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.project, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) read(name string) string {
	data, err := os.ReadFile(filepath.Join(d.project, name))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func (d *desk) git(args ...string) string {
	d.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = d.project, d.environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// noProcesses checks that nothing runs any more; ending takes a moment.
func (d *desk) noProcesses() {
	mark := append(append([]byte{0}, resource.EnvStateDir+"="+d.state...), 0)
	var left []string
	for range 500 {
		left = nil
		files, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil {
			d.t.Fatal(err)
		}
		for _, f := range files {
			environ, err := os.ReadFile(f)
			if err == nil && bytes.Contains(append(append([]byte{0}, environ...), 0), mark) {
				cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline")) // it may have ended just now
				if len(cmdline) > 0 {
					left = append(left, string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})))
				}
			}
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.t.Errorf("still running: %q", left)
}

// said is what a program printed and how it ended.
type said struct {
	status         int
	stdout, stderr string
}

func (d *desk) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(programs, "codebolt-providers"), args...)
	cmd.Dir, cmd.Env = d.project, d.environ
	return cmd
}

func (d *desk) run(args ...string) said {
	d.t.Helper()
	var out, problem bytes.Buffer
	cmd := d.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	return said{cmd.ProcessState.ExitCode(), out.String(), problem.String()}
}

// ok runs a command that must succeed.
func (d *desk) ok(args ...string) said {
	d.t.Helper()
	s := d.run(args...)
	if s.status != 0 {
		d.t.Fatalf("%v: status %d\n%s%s", args, s.status, s.stdout, s.stderr)
	}
	return s
}

func (d *desk) sh(name, script string, flags ...string) said {
	d.t.Helper()
	return d.run(append(append([]string{"run", "git-worktree", "--name", name}, flags...), "--", "sh", "-c", script)...)
}

const someWork = `echo out; echo err >&2; echo changed >> src/a.txt; rm src/b.txt; echo new > new.txt; printf '\0\1' > bin; echo KEY > x.env`

func TestARunShowsWhatChangedAndLeavesTheProjectAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.sh("work", someWork)
	if s.status != 0 || s.stdout != "out\n" || !strings.Contains(s.stderr, "err\n") {
		t.Errorf("%+v", s)
	}
	for _, want := range []string{"M  src/a.txt  +1 -0", "D  src/b.txt  +0 -1", "A  new.txt    +1 -0", "A  bin        binary", "4 files changed", "worktree ", "runtime ", "apply     codebolt-providers apply work"} {
		if !strings.Contains(s.stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, s.stderr)
		}
	}
	if status := d.git("status", "--porcelain", "--ignored"); status != "" {
		t.Errorf("the project's status: %s", status)
	}
	s = d.sh("work", "cat new.txt; git add -A; git commit -qm more")
	if s.stdout != "new\n" || !strings.Contains(s.stderr, "attached to environment work") || !strings.Contains(s.stderr, "4 files changed") {
		t.Errorf("continued: %+v", s)
	}
	if s := d.ok("diff", "work", "--stat"); !strings.Contains(s.stdout, "4 files changed") {
		t.Errorf("diff --stat: %s", s.stdout)
	}
	var list []listed
	if err := json.Unmarshal([]byte(d.ok("list", "--json").stdout), &list); err != nil || len(list) != 1 || list[0].Name != "work" || list[0].State != "kept" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if s := d.ok("show", "work"); !strings.Contains(s.stdout, "codebolt/work-") {
		t.Errorf("show: %s", s.stdout)
	}
	if s := d.run("show", "none"); s.status == 0 || !strings.Contains(s.stderr, "this project has: work") {
		t.Errorf("show of an unknown one: %+v", s)
	}
}

func TestApplyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sh("work", someWork)
	d.write("src/a.txt", "mine\n")
	s := d.run("apply", "work")
	if s.status == 0 || !strings.Contains(s.stderr, "src/a.txt") || d.read("src/a.txt") != "mine\n" || d.read("src/b.txt") != "three\n" {
		t.Errorf("apply on a changed file: %+v", s)
	}
	d.git("checkout", "-q", "src/a.txt")
	d.ok("apply", "work")
	if d.read("src/a.txt") != "one\ntwo\nchanged\n" || d.read("new.txt") != "new\n" || d.read("bin") != "\x00\x01" || !strings.Contains(d.read("src/b.txt"), "no such file") {
		t.Errorf("applied: %s", d.git("status", "--porcelain"))
	}
	// What no longer fits changes nothing.
	d.git("add", "-A")
	d.git("commit", "-qm", "applied")
	before := d.git("rev-parse", "HEAD^{tree}")
	if s := d.run("apply", "work"); s.status == 0 || !strings.Contains(s.stderr, "nothing was changed") {
		t.Errorf("apply again: %+v", s)
	}
	if d.git("status", "--porcelain") != "" || d.git("rev-parse", "HEAD^{tree}") != before {
		t.Error("a patch that does not fit changed something")
	}
	if s := d.sh("other", "echo more >> README.md", "--apply"); s.status != 0 || d.read("README.md") != "a project\nmore\n" {
		t.Errorf("run --apply: %+v", s)
	}
}

func TestRemoveRefusesToLoseWorkAndSnapshotsBringItBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sh("work", someWork)
	s := d.run("remove", "work")
	if s.status != 1 || !strings.Contains(s.stdout, "new.txt") || !strings.Contains(s.stdout, "x.env") || !strings.Contains(s.stdout, "--snapshot") {
		t.Fatalf("remove: %+v", s)
	}
	s = d.ok("remove", "work", "--snapshot")
	var argv []string
	for line := range strings.Lines(s.stdout) {
		if rest, ok := strings.CutPrefix(line, "to get it back: "); ok && strings.Contains(rest, "DIRECTORY") {
			argv = strings.Fields(rest)
		}
	}
	back := filepath.Join(t.TempDir(), "back")
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], "DIRECTORY", back)
	}
	if len(argv) == 0 {
		t.Fatalf("nothing is said of getting it back: %s", s.stdout)
	}
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	for name, want := range map[string]string{"new.txt": "new\n", "x.env": "KEY\n", "src/a.txt": "one\ntwo\nchanged\n"} {
		if data, err := os.ReadFile(filepath.Join(back, name)); err != nil || string(data) != want {
			t.Errorf("%s came back as %q, %v", name, data, err)
		}
	}
	if s := d.ok("list"); !strings.Contains(s.stdout, "no environments") {
		t.Errorf("list: %s", s.stdout)
	}
	d.sh("clean", "true")
	d.ok("remove", "clean")
	if s := d.sh("gone", "echo x > x", "--discard"); s.status != 0 || !strings.Contains(s.stderr, "removed gone") {
		t.Errorf("--discard: %+v", s)
	}
	if s := d.ok("gc"); !strings.Contains(s.stdout, "nothing is left behind") {
		t.Errorf("gc: %s", s.stdout)
	}
}

func TestTheExitStatusIsTheAgents(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -KILL $$": 137, "kill -TERM $$": 143} {
		if s := d.sh("e", script); s.status != want {
			t.Errorf("%s: status %d, want %d\n%s", script, s.status, want, s.stderr)
		}
	}
	if s := d.run("run", "git-worktree", "-n", "e", "--", "no-such-command"); s.status != 127 || !strings.Contains(s.stderr, "no-such-command") {
		t.Errorf("%+v", s)
	}
}

func TestBadInputGetsASentenceThatHelps(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sh("taken", "true")
	plain, unborn := t.TempDir(), t.TempDir()
	if out, err := exec.Command("git", "init", "-q", unborn).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, test := range []struct {
		args []string
		text string
	}{
		{[]string{"run", "git-worktree", "-p", plain, "--", "true"}, "git init"},
		{[]string{"run", "git-worktree", "-p", unborn, "--", "true"}, "first commit"},
		{[]string{"run", "git-worktree", "-p", filepath.Join(plain, "none"), "--", "true"}, "none"},
		{[]string{"run", "git-worktre", "--", "true"}, "git-worktree"},
		{[]string{"run", "git-worktree", "true"}, "--"},
		{[]string{"run"}, "git-worktree, local"},
		{[]string{"run", "local", "--name", "taken", "--", "true"}, "taken"},
		{[]string{"run", "git-worktree", "--set", "nonsense", "--", "true"}, "key=value"},
		{[]string{"run", "git-worktree", "--set", "onStop=destroy", "--", "true"}, "removeIfClean"},
		{[]string{"run", "git-worktree", "--set", "baseRef=none", "--", "true"}, "none"},
		{[]string{"diff"}, "name one environment"},
		{[]string{"remove", "none"}, "taken"},
		{[]string{"nonsense"}, "--help"},
		{[]string{"list", "--nonsense"}, "--help"},
	} {
		if s := d.run(test.args...); s.status != 125 || !strings.Contains(s.stderr, test.text) {
			t.Errorf("%v: %+v", test.args, s)
		}
	}
	for _, name := range []string{"x$(touch pwned)", "../../x", "a b", "ü", ".", strings.Repeat("n", 255)} {
		if s := d.sh(name, "true", "--discard"); s.status != 0 {
			t.Errorf("%q: %+v", name, s)
		}
	}
	if s := d.run("run", "git-worktree", "--name=-f", "--discard", "--", "true"); s.status != 0 {
		t.Errorf("-f: %+v", s)
	}
	for _, dir := range []string{d.project, d.state, "."} {
		if out, err := exec.Command("find", dir, "-name", "*pwned").CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("a shell has seen a name: %s %v", out, err)
		}
	}
	if list := d.ok("list").stdout; strings.Count(list, "\n") != 2 {
		t.Errorf("left: %s", list)
	}
}

func TestAStartThatFailsLeavesNoEnvironmentAndNoSettings(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sh("known", "true")
	for _, setting := range []string{"carryUncommitted=perhaps", "existingBranch=main", `setup=["false"]`} {
		if s := d.sh("new", "true", "--set", setting); s.status != 125 {
			t.Errorf("%s: %+v", setting, s)
		}
		if list := d.ok("list").stdout; strings.Contains(list, "new") {
			t.Errorf("%s: an environment is left: %s", setting, list)
		}
	}
	if s := d.sh("known", "true", "--set", "carryUncommitted=perhaps"); s.status != 125 {
		t.Errorf("%+v", s)
	}
	if s := d.sh("known", "true"); s.status != 0 || !strings.Contains(s.stderr, "attached") {
		t.Errorf("the next run: %+v", s)
	}
	d.ok("remove", "known")
}

func TestAnEnvironmentWhoseFilesAreGoneCanBeRemoved(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, kind := range []string{"git-worktree", "local"} {
		d.ok("run", kind, "--name", kind, "--", "true")
		var shown struct {
			Path   string
			Record resource.Record
		}
		if err := json.Unmarshal([]byte(d.ok("show", kind, "--json").stdout), &shown); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(shown.Path); err != nil {
			t.Fatal(err)
		}
		for _, ref := range strings.Fields(d.git("for-each-ref", "--format=%(refname)", "refs/heads/codebolt")) {
			d.git("update-ref", "-d", ref)
		}
		if s := d.run("remove", kind); s.status != 0 {
			t.Errorf("%s: %+v", kind, s)
		}
	}
	if list := d.ok("list").stdout; !strings.Contains(list, "no environments") {
		t.Errorf("left: %s", list)
	}
	if s := d.ok("gc", "--dry-run"); !strings.Contains(s.stdout, "nothing is left") || strings.Contains(d.git("worktree", "list"), d.state) {
		t.Errorf("left: %+v\n%s", s, d.git("worktree", "list"))
	}
}

func TestASettingThatNobodyKnowsIsWarnedOf(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if s := d.sh("e", "true", "--set", "baseref=main"); s.status != 0 || !strings.Contains(s.stderr, "warning: unknown configuration keys: baseref (did you mean baseRef?)") {
		t.Errorf("%+v", s)
	}
}

func TestTheCommandsShownCanBePastedIntoAShell(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	odd := filepath.Join(filepath.Dir(d.project), "$(touch pwned) it's")
	if err := os.Rename(d.project, odd); err != nil {
		t.Fatal(err)
	}
	d.project = odd
	for _, name := range []string{"-f", "x$(touch pwned)", "a b"} {
		s := d.run("run", "git-worktree", "-p", odd, "--name="+name, "--json", "--", "sh", "-c", "echo changed >> README.md")
		lines := strings.Split(strings.TrimSpace(s.stdout), "\n")
		var sum struct{ Next map[string]string }
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
			t.Fatalf("%v: %+v", err, s)
		}
		d.write("README.md", "in the way\n")
		refused := d.run("apply", "-p", odd, "--", name).stderr
		_, byHand, _ := strings.Cut(strings.TrimSpace(refused), "by hand: ")
		for _, command := range []string{sum.Next["diff"], byHand} {
			cmd := exec.Command("sh", "-c", "PATH="+programs+":$PATH; "+command)
			cmd.Env, cmd.Dir = d.environ, t.TempDir()
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "+changed") {
				t.Errorf("%s: %v\n%s", command, err, out)
			}
			if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
				t.Errorf("%s made %v, %v", command, left, err)
			}
		}
	}
}

// started starts a run and waits until its agent says ready.
func (d *desk) started(name, script string) (*exec.Cmd, *bytes.Buffer, <-chan struct{}) {
	d.t.Helper()
	cmd := d.command("run", "git-worktree", "--name", name, "--", "sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // for ctrlC
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	var problem bytes.Buffer
	cmd.Stderr = &problem
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	buf := make([]byte, 6)
	for got := 0; got < len(buf); {
		n, err := stdout.Read(buf[got:])
		if err != nil {
			_ = cmd.Wait() // it has ended
			d.t.Fatalf("no agent: %v\n%s", err, &problem)
		}
		got += n
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended, its state tells
		close(ended)
	}()
	return cmd, &problem, ended
}

func await(t *testing.T, ended <-chan struct{}, limit time.Duration) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(limit):
		t.Fatalf("it has not ended after %v", limit)
	}
}

// ctrlC does what a terminal does: it signals the whole process group, with all
// that the program started in it.
func ctrlC(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

func TestCtrlCStopsTheAgentAndASecondOneLeavesAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	cmd, problem, ended := d.started("once", "echo half > half; echo ready; exec sleep 1000")
	ctrlC(t, cmd)
	await(t, ended, 30*time.Second)
	if cmd.ProcessState.ExitCode() != 143 || !strings.Contains(problem.String(), "A  half  +1 -0") || !strings.Contains(problem.String(), "is kept") {
		t.Errorf("status %d\n%s", cmd.ProcessState.ExitCode(), problem)
	}
	cmd, _, ended = d.started("twice", `trap "" TERM; echo half > half; echo ready; while :; do sleep 0.1; done`)
	for range 2 {
		ctrlC(t, cmd)
		time.Sleep(200 * time.Millisecond)
	}
	await(t, ended, 20*time.Second)
	if cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("status %d", cmd.ProcessState.ExitCode())
	}
	if s := d.sh("twice", "cat half"); s.stdout != "half\n" || !strings.Contains(s.stderr, "attached") {
		t.Errorf("afterwards: %+v", s)
	}
	d.ok("remove", "twice", "--snapshot")
}

func TestAKilledServerLosesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	cmd, _, ended := d.started("e", "echo half > half; echo ready; exec sleep 1000")
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, ended, 10*time.Second)
	// The provider notices within five seconds; the agent goes on without it.
	begun := time.Now()
	for {
		s := d.run("diff", "e", "--stat")
		if s.status == 0 && strings.Contains(s.stdout, "A  half") {
			break
		}
		if time.Since(begun) > 25*time.Second {
			t.Fatalf("the environment cannot be opened: %+v", s)
		}
	}
	if s := d.run("remove", "e"); s.status != 1 || !strings.Contains(s.stdout, "at work") {
		t.Errorf("remove while the agent works: %+v", s)
	}
	d.ok("remove", "e", "--snapshot")
}

func TestManyRunsAtOnceAllShowInTheList(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const n = 8
	results := make(chan said, n)
	for i := range n {
		go func() { results <- d.sh(fmt.Sprintf("run%d", i), "echo $$ > mine") }()
	}
	for range n {
		if s := <-results; s.status != 0 {
			t.Errorf("%+v", s)
		}
	}
	if list := d.ok("list").stdout; strings.Count(list, " kept ") != n {
		t.Errorf("list: %s", list)
	}
}

func TestALargeRepositoryIsStreamedLiveAndDiffedRight(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 5000 {
		d.write(fmt.Sprintf("pkg/p%d/f%d.go", i%100, i), fmt.Sprintf("package p%d\n\nconst c%d = %d\n", i%100, i, i))
		if i%2500 == 0 {
			d.git("add", "-A")
			d.git("commit", "-qm", fmt.Sprint("at ", i))
		}
	}
	d.git("add", "-A")
	d.git("commit", "-qm", "all")
	before := d.git("status", "--porcelain", "--ignored")
	cmd, problem, ended := d.started("large", `echo ready; for i in 1 2 3; do sleep 1; echo $i; echo x >> pkg/p$i/f$i.go; done; rm pkg/p4/f4.go; echo new > pkg/new.go`)
	select {
	case <-ended:
		t.Error("the first line came only with the end")
	case <-time.After(time.Second): // it came two seconds before
	}
	await(t, ended, time.Minute)
	if cmd.ProcessState.ExitCode() != 0 || !strings.Contains(problem.String(), "5 files changed, 4 insertions(+), 3 deletions(-)") {
		t.Errorf("status %d\n%s", cmd.ProcessState.ExitCode(), problem)
	}
	if after := d.git("status", "--porcelain", "--ignored"); after != before {
		t.Errorf("the project's status was %q, is %q", before, after)
	}
}

func TestACommandRunsWhereTheProjectLiesInItsRepository(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.run("run", "git-worktree", "-p", filepath.Join(d.project, "src"), "--discard", "--json", "--", "sh", "-c", "basename $(pwd); cat b.txt")
	var out string
	events := map[string]int{}
	for line := range strings.Lines(s.stdout) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		events[e.Event]++
		out += e.Data
	}
	if out != "src\nthree\n" || events["phase"] == 0 || events["opened"] != 1 || events["started"] != 1 || events["ended"] != 1 || events["summary"] != 1 {
		t.Errorf("%q, %v, %s", out, events, s.stderr)
	}
}

func TestTheLocalProviderNeedsNoRepository(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if err := os.RemoveAll(filepath.Join(d.project, ".git")); err != nil {
		t.Fatal(err)
	}
	s := d.run("run", "local", "-n", "copy", "--", "sh", "-c", "echo x >> README.md; ls")
	if s.status != 0 || s.stdout != "README.md\nsrc\n" || !strings.Contains(s.stderr, "M  README.md  +1 -0") {
		t.Errorf("%+v", s)
	}
	d.ok("apply", "copy")
	if d.read("README.md") != "a project\nx\n" {
		t.Errorf("applied: %q", d.read("README.md"))
	}
	d.ok("remove", "copy", "--snapshot")
}

func TestEnvironmentsBeginWithASnapshotAndItStaysAsItIs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sh("prepared", someWork+"; git add new.txt; git commit -qm prepared; echo later > new.txt")
	id := strings.TrimSpace(d.ok("snapshot", "prepared").stdout)
	for _, name := range []string{"one", "two"} {
		s := d.run("run", "git-worktree", "--from", id, "--name", name, "--", "sh", "-c", "cat new.txt x.env; git log --format=%s; echo "+name+" > new.txt")
		if s.status != 0 || s.stdout != "later\nKEY\nprepared\nfirst\n" {
			t.Errorf("%s: %+v", name, s)
		}
	}
	want := d.ok("diff", "prepared", "--patch").stdout
	for _, name := range []string{"one", "two"} {
		got := d.ok("diff", name, "--patch").stdout
		if changed := strings.Replace(got, "+"+name+"\n", "+later\n", 1); without(changed, "index ") != without(want, "index ") {
			t.Errorf("the changes of %s are\n%s\nwant\n%s", name, got, want)
		}
		d.ok("remove", name, "--snapshot")
	}
	var all []struct{ ID, Of, State string }
	if err := json.Unmarshal([]byte(d.ok("snapshots", "--json").stdout), &all); err != nil || len(all) != 1 || all[0].ID != id || all[0].Of != "prepared" || all[0].State != "ready" {
		t.Errorf("%+v, %v", all, err)
	}
	for _, test := range []struct {
		args []string
		text string
	}{
		{[]string{"run", "local", "--from", id, "--", "true"}, "have no snapshot"},
		{[]string{"run", "docker", "--from", id, "--", "true"}, "made by the provider codebolt-git-worktree"},
		{[]string{"run", "git-worktree", "--from", "snapshot:v1:none", "--", "true"}, "there is no snapshot"},
		{[]string{"run", "git-worktree", "--from", "prepared", "--", "true"}, "no snapshot's id"},
		{[]string{"run", "git-worktree", "--from", id, "--set", "baseRef=main", "--", "true"}, "excludes"},
		{[]string{"snapshots", "remove", "prepared"}, "there is no snapshot"},
		{[]string{"snapshot", "nobody"}, "nobody"},
	} {
		if s := d.run(test.args...); s.status == 0 || !strings.Contains(s.stderr, test.text) {
			t.Errorf("%v: %+v, want %q", test.args, s, test.text)
		}
	}
	other := newDesk(t)
	other.environ = d.environ // the same machine, and another project
	if s := other.run("run", "git-worktree", "--from", id, "--", "true"); s.status == 0 || !strings.Contains(s.stderr, "of another project") {
		t.Errorf("in another project: %+v", s)
	}
	d.ok("snapshots", "remove", id)
	if refs := d.git("for-each-ref", "refs/codebolt/snapshots/kept"); refs != "" {
		t.Errorf("left: %s", refs)
	}
}

// without drops the lines that begin with a text.
func without(text, prefix string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, prefix) }), "\n")
}

func TestASnapshotThatIsKilledIsWholeOrTakenBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sh("prepared", someWork)
	for round := range 10 {
		cmd := d.command("snapshot", "prepared")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(round) * 20 * time.Millisecond)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may be over
		_ = cmd.Wait()
	}
	d.ok("gc")
	var all []struct{ ID, State string }
	if err := json.Unmarshal([]byte(d.ok("snapshots", "--json").stdout), &all); err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		if k.State != "ready" {
			t.Errorf("%+v is left", k)
		}
		d.ok("snapshots", "remove", k.ID)
	}
	if refs := d.git("for-each-ref", "refs/codebolt/snapshots/kept"); refs != "" {
		t.Errorf("left: %s", refs)
	}
}
