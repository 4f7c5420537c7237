//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/checks"
	"github.com/codeboltai/codebolt-providers/conformance/programtest"
	"github.com/codeboltai/codebolt-providers/conformance/report"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/build"
)

// programs is the folder with the programs, built for these tests: they run as
// people run them.
var programs string

func TestMain(m *testing.M) {
	if os.Getenv(envTalk) != "" {
		talk()
	}
	os.Exit(programtest.Main(m, &programs, map[string]string{
		"codebolt-conformance": ".", "codebolt-provider-local": "../../providers/local", "codebolt-runtime": "../codebolt-runtime",
	}))
}

// envTalk makes this test program one that talks without end and listens to no
// one.
const envTalk = "CONFORMANCE_TEST_TALK"

func talk() {
	line := bytes.Repeat([]byte("la "), 10_000)
	for {
		if _, err := os.Stdout.Write(line); err != nil {
			os.Exit(1)
		}
	}
}

// said is what the program printed and how it ended.
type said struct {
	status         int
	stdout, stderr string
}

// desk is a temporary folder of a test, in which nothing may be left.
type desk struct {
	t   *testing.T
	tmp string
	env []string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	tmp, err := os.MkdirTemp("", "cc") // short, because sockets are made far below it
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, tmp: tmp}
	t.Cleanup(func() {
		defer os.RemoveAll(tmp) // it is empty, or the test has failed
		if left, err := os.ReadDir(d.tmp); err != nil || len(left) > 0 {
			t.Errorf("left in the temporary folder: %v, %v", left, err)
		}
		if left := d.processes(); len(left) > 0 {
			t.Errorf("still running: %q", left)
		}
	})
	return d
}

// processes are those that inherited this desk's temporary folder, or one below
// it.
func (d *desk) processes() []string {
	d.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		d.t.Fatal(err)
	}
	var left []string
	for _, f := range files {
		environ, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(environ, []byte("TMPDIR="+d.tmp)) {
			continue
		}
		argv, err := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
		if err == nil && len(argv) > 0 {
			left = append(left, string(bytes.ReplaceAll(argv, []byte{0}, []byte{' '})))
		}
	}
	return left
}

func (d *desk) command(args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 2*time.Minute)
	d.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(programs, "codebolt-conformance"), args...)
	cmd.Env = append(append(os.Environ(), "TMPDIR="+d.tmp), d.env...)
	out, problem := &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, problem
	return cmd, out, problem
}

func (d *desk) run(args ...string) said {
	d.t.Helper()
	cmd, out, problem := d.command(args...)
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	return said{cmd.ProcessState.ExitCode(), out.String(), problem.String()}
}

func local() string { return filepath.Join(programs, "codebolt-provider-local") }

const manifestOfLocal = "../../manifests/local"

func TestAProviderPassesAndEveryReportIsWritten(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	into := filepath.Join(t.TempDir(), "not", "there", "yet")
	s := d.run("run", "--only", "FS-001,fs-002", "--manifest", manifestOfLocal,
		"--json", filepath.Join(into, "r.json"), "--junit", filepath.Join(into, "r.xml"), "--html", filepath.Join(into, "r.html"),
		"--markdown", filepath.Join(into, "r.md"), "--", local())
	if s.status != 0 || s.stderr != "" || !strings.Contains(s.stdout, "codebolt-local conforms: 2 checks passed") {
		t.Fatalf("%+v", s)
	}
	for name, want := range map[string]string{"r.json": `"conclusion": "conforms`, "r.xml": "<testsuites", "r.html": "codebolt-local", "r.md": "## codebolt-local"} {
		text, err := os.ReadFile(filepath.Join(into, name))
		if err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s: %v: it does not hold %q", name, err, want)
		}
		if canary := regexp.MustCompile(`canary-[A-Z2-7]`).Find(text); canary != nil {
			t.Errorf("%s holds a secret", name)
		}
	}
}

func TestAReportOnTheStandardOutputStandsThereAlone(t *testing.T) {
	t.Parallel()
	s := newDesk(t).run("run", "--only", "FS-001", "--without", "providerReadFile", "--json", "-", "--", local())
	var got struct {
		Runs []*suite.Report `json:"runs"`
	}
	if err := json.Unmarshal([]byte(s.stdout), &got); err != nil || s.status != 0 {
		t.Fatalf("%v: %+v", err, s)
	}
	run := got.Runs[0]
	if r := run.Results[0]; r.Outcome != suite.Skipped || r.Missing != "providerReadFile" {
		t.Errorf("%+v", r)
	}
	if run.DeclaredBy != "--capabilities, changed by --with and --without" {
		t.Errorf("declared by %q", run.DeclaredBy)
	}
	if !strings.Contains(s.stderr, "the provider does not declare providerReadFile") {
		t.Errorf("nothing tells why it was skipped:\n%s", s.stderr)
	}
}

func TestFilesThatAreElsewhereAreLookedAtWhereTheProgramSays(t *testing.T) {
	t.Parallel()
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "where")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"nobody says":      {[]string{"--elsewhere"}, 0, "the provider does not declare disk"},
		"there":            {[]string{"--disk", script(`test -n "$1" && echo "$2"`)}, 0, "conforms: 1 check passed"},
		"somewhere else":   {[]string{"--disk", script("echo " + t.TempDir())}, 1, "no such file"},
		"no path":          {[]string{"--disk", script("echo here")}, 2, "absolute path"},
		"it does not know": {[]string{"--disk", script("echo lost >&2; exit 3")}, 2, "lost"},
		"there is no such": {[]string{"--disk", "./nowhere"}, 2, "--disk: there is no program"},
		"what works in it": {[]string{"--disk", script(`echo "$2"`), "--only", "SC-005"}, 0, "the provider does not declare local"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newDesk(t).run(slices.Concat([]string{"run", "--only", "FS-012"}, test.args, []string{"--", local()})...)
			if all := s.stdout + s.stderr; s.status != test.status || !strings.Contains(all, test.says) {
				t.Errorf("status %d, want %d and %q:\n%s", s.status, test.status, test.says, all)
			}
		})
	}
}

func TestAFailureIsToldWithItsFramesAndGivesStatus1(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	// The provider is told to take nothing, and so has nothing to read.
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"excludes": ["*"], "apiKey": "a-real-secret-1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	s := d.run("run", "--only", "FS-001", "--config", config, "--env", "SERVICE_TOKEN=a-real-secret-2",
		"--html", filepath.Join(into, "r.html"), "--json", filepath.Join(into, "r.json"), "--junit", filepath.Join(into, "r.xml"), "--", local())
	if s.status != 1 || s.stderr != "" {
		t.Fatalf("%+v", s)
	}
	for _, want := range []string{"\nfail  FS-001  ", "providerReadFile", "-> {", "<- {", "MUST, because: ", "does not conform: 1 check of level MUST failed"} {
		if !strings.Contains(s.stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, s.stdout)
		}
	}
	for _, name := range []string{"r.html", "r.json", "r.xml"} {
		text, err := os.ReadFile(filepath.Join(into, name))
		if err != nil || bytes.Contains(text, []byte("a-real-secret")) {
			t.Errorf("%s: %v, or it holds a secret that the provider was given", name, err)
		}
	}
	if strings.Contains(s.stdout, "a-real-secret") {
		t.Error("a secret was printed")
	}
}

func TestFramesGovernsWhatAReportHolds(t *testing.T) {
	t.Parallel()
	frames := map[string]int{}
	for _, keep := range []string{"", "few", "failed", "all"} {
		d := newDesk(t)
		args := []string{"run", "--only", "FS-001", "--json", "-"}
		if keep != "" {
			args = append(args, "--frames", keep)
		}
		s := d.run(append(args, "--", local())...)
		var got struct{ Runs []*suite.Report }
		if err := json.Unmarshal([]byte(s.stdout), &got); err != nil {
			t.Fatalf("%v: %+v", err, s)
		}
		frames[keep] = len(got.Runs[0].Results[0].Frames)
	}
	if frames[""] != 4 || frames["few"] != 4 || frames["failed"] != 0 || frames["all"] <= 4 {
		t.Errorf("frames of a check that passed: %v", frames)
	}
}

func TestAReportNamesTheProgramAsItWasNamed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	cmd, out, problem := d.command("run", "--only", "FS-001", "--json", "-", "--", "./codebolt-provider-local")
	cmd.Dir = programs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, problem)
	}
	if !strings.Contains(out.String(), `"program": "./codebolt-provider-local"`) || strings.Contains(out.String(), d.tmp) {
		t.Errorf("%s", out)
	}
}

func TestRunsAreComparedWhenRepeated(t *testing.T) {
	t.Parallel()
	s := newDesk(t).run("run", "--only", "FS-001", "--repeat", "2", "--", local())
	if s.status != 0 || !strings.Contains(s.stdout, "2 runs, all with equal results") {
		t.Errorf("%+v", s)
	}
}

func TestTheProgramPlaysTheAgentServerItself(t *testing.T) {
	t.Parallel()
	s := newDesk(t).run("run", "--only", "NT-011", "--manifest", manifestOfLocal, "--", local())
	if s.status != 0 || !strings.Contains(s.stdout, "conforms: 1 check passed") {
		t.Errorf("%+v", s)
	}
	if s := newDesk(t).run("--help"); strings.Contains(s.stdout, agentServer) {
		t.Error("the help names what is not for people")
	}
}

func TestWhatIsNoProviderIsSaidInTimeAndEndsWithStatus2(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unreadable := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(unreadable, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"ends well":     {[]string{"--", "/bin/true"}, "/bin/true is no environment provider: it ended (exit status 0) without connecting to the server"},
		"ends at once":  {[]string{"--", "cat"}, "cat is no environment provider: it ended (exit status 0)"},
		"never ends":    {[]string{"--", "sleep", "100000"}, "sleep is no environment provider: it did not connect to the server within 1s"},
		"talks":         {[]string{"--", self}, "it did not connect to the server within 1s; the last it printed: "},
		"not there":     {[]string{"--", "./nowhere"}, "there is no program ./nowhere"},
		"not in PATH":   {[]string{"--", "no-such-program"}, `the program "no-such-program" was not found in PATH`},
		"a folder":      {[]string{"--", "./."}, "is a folder"},
		"no executable": {[]string{"--", unreadable}, "is not executable; name its interpreter"},
		"no dash":       {[]string{"/bin/true"}, "after --"},
		"no command":    {nil, "after --"},
		"unknown check": {[]string{"--only", "FS-999", "--", local()}, `no check is called "FS-999"`},
		"unknown skill": {[]string{"--with", "onstop", "--", local()}, "did you mean onStop?"},
		"no manifest":   {[]string{"--manifest", t.TempDir(), "--", local()}, "holds neither codeboltprovider.yaml nor"},
		"wrong config":  {[]string{"--config", unreadable, "--", local()}, "want a file that holds a JSON object"},
		"wrong profile": {[]string{"--profile", "lax", "--", local()}, "write strict or node-compat"},
		"wrong frames":  {[]string{"--frames", "some", "--", local()}, "write few, failed or all"},
		"no such place": {[]string{"--html", filepath.Join(unreadable, "r.html"), "--", local()}, "--html: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			d := newDesk(t)
			d.env = []string{envTalk + "=1"} // for the one that talks
			s := d.run(append([]string{"run", "--timeout", "1s"}, test.args...)...)
			if s.status != 2 || !strings.Contains(s.stderr, test.says) || strings.Count(s.stderr, "\n") != 1 {
				t.Errorf("%+v", s)
			}
			// Twice the timeout, because it is asked for its capabilities before; the
			// rest is for a busy machine.
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestCtrlCEndsWhatRunsAndPrintsWhatThereIs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	cmd, out, problem := d.command("run", "--repeat", "1000", "--only", "FS-001", "--json", filepath.Join(t.TempDir(), "r.json"), "--", local())
	watched := &watcher{to: out, word: []byte("run 2 of"), seen: make(chan struct{})}
	cmd.Stdout = watched
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-watched.seen:
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill() // it has failed already
		t.Fatal("it did not come to a second run")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // how it ended is in ProcessState
	if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGINT) || !strings.Contains(problem.String(), "interrupted") {
		t.Errorf("status %d\n%s", code, problem)
	}
	if !strings.Contains(out.String(), "GROUP") {
		t.Errorf("what there is was not printed:\n%s", out)
	}
}

// watcher notes when a word is written.
type watcher struct {
	to   *bytes.Buffer
	word []byte
	seen chan struct{}
}

func (w *watcher) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if w.word != nil && bytes.Contains(w.to.Bytes(), w.word) {
		w.word = nil
		close(w.seen)
	}
	return n, err
}

func TestTheChecksAreListedAndExplained(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.run("list", "--json")
	var all []struct{ ID, Title, Why, Level string }
	if err := json.Unmarshal([]byte(s.stdout), &all); err != nil || len(all) != len(checks.All()) || all[0].Why == "" {
		t.Errorf("%v: %d checks of %d", err, len(all), len(checks.All()))
	}
	if s := d.run("list"); s.status != 0 || strings.Count(s.stdout, "\n") != len(all) {
		t.Errorf("%+v", s)
	}
	if s := d.run("explain", "fs-001"); s.status != 0 || !strings.HasPrefix(s.stdout, "FS-001  ") || !strings.Contains(s.stdout, "  why      ") {
		t.Errorf("%+v", s)
	}
	if s := d.run("explain", "FS-0O1"); s.status != 2 || !strings.Contains(s.stderr, "did you mean FS-001?") {
		t.Errorf("%+v", s)
	}
	var is build.Info
	if s := d.run("version", "--json"); s.status != 0 || json.Unmarshal([]byte(s.stdout), &is) != nil || is.Go != runtime.Version() {
		t.Errorf("%+v", s)
	}
	if s := d.run("--version"); s.status != 0 || s.stdout != "codebolt-conformance "+is.String()+"\n" {
		t.Errorf("%+v", s)
	}
	if s := d.run("__complete", "run", "--only", "FS-00"); s.status != 0 || !strings.Contains(s.stdout, "FS-001\n") {
		t.Errorf("%+v", s)
	}
}

func TestTheReferenceOfTheChecksIsThatOfTheTable(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	if err := report.WriteReference(&want, checks.All()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/conformance-checks.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/conformance-checks.md is not what the table of checks says; write it anew with: make docs")
	}
}
