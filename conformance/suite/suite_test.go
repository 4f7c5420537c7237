package suite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// target is a fake provider of a kind.
func target(t *testing.T, kind string) *suite.Target {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(envFake, kind)
	return &suite.Target{Program: program}
}

func run(t *testing.T, target *suite.Target, options suite.Options, checks ...suite.Check) *suite.Report {
	t.Helper()
	// Nothing of a run may be left in the folder for temporary files.
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	report, err := suite.Run(t.Context(), target, checks, options)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return report
}

func check(id string, run func(t *suite.T)) suite.Check {
	return suite.Check{ID: id, Title: "It is so", Why: "Because.", Level: suite.Must, Run: run}
}

func TestEachCheckHasItsOwnOutcome(t *testing.T) {
	should := check("FS-002", func(t *suite.T) { t.Errorf("not as it should be") })
	should.Level = suite.Should
	needs := check("LC-002", func(t *suite.T) { t.Errorf("must not run") })
	needs.Needs = []suite.Capability{"providerReadFile", "providerCopyFile"}
	report := run(t, target(t, ""), suite.Options{},
		check("FS-001", func(t *suite.T) {
			t.Errorf("one")
			end := t.Fatalf
			end("two")
			t.Try(errors.New("not reached"))
		}),
		should, needs,
		check("LC-001", func(*suite.T) {}),
		check("PR-001", func(t *suite.T) { t.Skipf("no %s here", "tap") }),
		check("PR-002", func(t *suite.T) { t.Try(errors.New("no disk")) }),
		check("PR-003", func(*suite.T) { panic("a defect of the suite") }),
	)
	got := map[string]string{}
	for _, r := range report.Results {
		got[r.ID] = strings.TrimSpace(string(r.Outcome) + " " + r.Reason)
	}
	want := map[string]string{
		"FS-001": "fail", "FS-002": "fail", "LC-001": "pass", "LC-002": "skip the provider does not declare providerCopyFile",
		"PR-001": "skip no tap here", "PR-002": "error no disk", "PR-003": "error check: panic: a defect of the suite",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if ids := []string{report.Results[0].ID, report.Results[6].ID}; ids[0] != "PR-001" || ids[1] != "FS-002" {
		t.Errorf("the results are not in the order of the groups: %v", ids)
	}
	n := report.Totals()
	if diff := cmp.Diff(suite.Totals{Passed: 1, Failed: 2, Skipped: 2, Errored: 2, FailedShould: 1}, n); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		totals suite.Totals
		want   int
	}{{n, 2}, {suite.Totals{Failed: 2, FailedShould: 1}, 1}, {suite.Totals{Failed: 1, FailedShould: 1}, 0}} {
		if got := c.totals.Status(); got != c.want {
			t.Errorf("%+v gives status %d", c.totals, got)
		}
	}
}

func TestAFailureTellsWhatWasExpectedWhatCameAndWhatWasSaid(t *testing.T) {
	report := run(t, target(t, ""), suite.Options{}, check("FS-001", func(t *suite.T) {
		e := t.Open(suite.Spec{})
		t.Equal("the text", e.Result(suite.Message{"type": "providerReadFile", "path": "p"}), "other")
	}))
	r := report.Results[0]
	if len(r.Failures) != 1 || r.Failures[0].Expected != `"other"` || r.Failures[0].Got != `"\"p\""` {
		t.Fatalf("%+v", r.Failures)
	}
	last := r.Frames[len(r.Frames)-1]
	if last.Number != r.Failures[0].Frame || !last.In || !strings.Contains(last.Text, "providerReadFileResponse") {
		t.Errorf("%+v", r.Frames)
	}
	if !slices.ContainsFunc(r.Story, func(s string) bool { return strings.HasPrefix(s, "FAILED: the text") }) {
		t.Errorf("%q", r.Story)
	}
}

func TestWhatACheckRegistersIsTakenBackHoweverItEnds(t *testing.T) {
	var (
		mu   sync.Mutex
		done []string
		dirs []string
		pids []int
	)
	note := func(s string) func() {
		return func() { mu.Lock(); defer mu.Unlock(); done = append(done, s) }
	}
	body := func(id string, end func(t *suite.T)) suite.Check {
		return check(id, func(t *suite.T) {
			e := t.Open(suite.Spec{})
			mu.Lock()
			dirs, pids = append(dirs, t.Dir("mine")), append(pids, e.PID())
			mu.Unlock()
			t.Cleanup(note(id + " first"))
			t.Cleanup(note(id + " last"))
			end(t)
		})
	}
	run(t, target(t, ""), suite.Options{Parallel: 1},
		body("LC-001", func(t *suite.T) { t.Fatalf("wrong") }),
		body("LC-002", func(*suite.T) { panic("odd") }),
		body("LC-003", func(t *suite.T) { t.Skipf("no") }),
	)
	if diff := cmp.Diff([]string{"LC-001 last", "LC-001 first", "LC-002 last", "LC-002 first", "LC-003 last", "LC-003 first"}, done); diff != "" {
		t.Error(diff)
	}
	for i, dir := range dirs {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is there still", dir)
		}
		if process, err := os.FindProcess(pids[i]); err == nil && process.Signal(syscall.Signal(0)) == nil {
			t.Errorf("process %d runs still", pids[i])
		}
	}
}

func TestACheckThatWaitsForEverFailsInTime(t *testing.T) {
	report := run(t, target(t, ""), suite.Options{Timeout: 300 * time.Millisecond}, check("FS-001", func(t *suite.T) {
		t.Open(suite.Spec{}).Ask(suite.Message{"type": "providerReadFile", "path": "silence"})
	}))
	if r := report.Results[0]; r.Outcome != suite.Failed || !strings.Contains(r.Failures[0].Message, "providerReadFile was not answered") {
		t.Errorf("%+v", r)
	}
}

func TestAProgramThatIsNoProviderIsSaidAndLeavesNothing(t *testing.T) {
	for kind, want := range map[string]string{
		"exits undeclared": "it ended (exit status 3) without connecting to the server; the last it printed: this is no provider", "hangs undeclared": "did not connect", "talks undeclared": "did not connect",
	} {
		t.Run(kind, func(t *testing.T) {
			tmp := t.TempDir()
			t.Setenv("TMPDIR", tmp)
			_, err := suite.Run(t.Context(), target(t, kind), []suite.Check{check("FS-001", func(*suite.T) {})}, suite.Options{Timeout: 2 * time.Second})
			if wire.CodeOf(err) != wire.Unavailable || !strings.Contains(err.Error(), want) {
				t.Errorf("%v", err)
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestCapabilitiesComeFromTheProgramTheManifestOrAreAllRequests(t *testing.T) {
	withManifest := &manifest.Manifest{Capabilities: manifest.Capabilities{Extra: map[string]any{"requests": []any{"closeSignal"}, "features": []any{"base64"}}}}
	for _, c := range []struct {
		kind     string
		manifest *manifest.Manifest
		has      suite.Capability
		lacks    suite.Capability
		from     string
	}{
		{"", withManifest, "onStop", "closeSignal", "--capabilities"},
		{"undeclared", withManifest, "base64", "providerStop", "the manifest"},
		{"undeclared", nil, "providerCopyFolder", "base64", "nothing: every request type is expected, and no feature"},
	} {
		subject := target(t, c.kind)
		subject.Manifest = c.manifest
		got, from := suite.Discover(t.Context(), subject)
		if !got[c.has] || got[c.lacks] || from != c.from {
			t.Errorf("%+v: %v from %s", c, got.Sorted(), from)
		}
	}
}

func TestChecksAreSelectedByIDAndGroup(t *testing.T) {
	nothing := func(*suite.T) {}
	all := []suite.Check{check("FS-001", nothing), check("FS-002", nothing), check("LC-001", nothing), check("RS-001", nothing)}
	report := run(t, target(t, ""), suite.Options{Only: []string{"fs", "LC-001"}, Skip: []string{"FS-002"}}, all...)
	var ids []string
	for _, r := range report.Results {
		ids = append(ids, r.ID)
	}
	if diff := cmp.Diff([]string{"LC-001", "FS-001"}, ids); diff != "" {
		t.Error(diff)
	}
	_, err := suite.Run(t.Context(), target(t, ""), all, suite.Options{Skip: []string{"XX-1"}})
	if wire.CodeOf(err) != wire.Invalid || !strings.Contains(err.Error(), "XX-1") {
		t.Errorf("%v", err)
	}
}

func TestWhatMustRunAloneDoes(t *testing.T) {
	var (
		mu     sync.Mutex
		active int
		most   = map[suite.When]int{}
		order  []suite.When
	)
	make1 := func(id string, when suite.When) suite.Check {
		c := check(id, func(t *suite.T) {
			mu.Lock()
			active++
			most[when] = max(most[when], active)
			order = append(order, when)
			mu.Unlock()
			t.Rest(50 * time.Millisecond)
			mu.Lock()
			active--
			mu.Unlock()
		})
		c.When = when
		return c
	}
	run(t, target(t, ""), suite.Options{Parallel: 3}, make1("RS-001", suite.AtEnd), make1("FS-001", suite.Alone), make1("FS-002", suite.Beside),
		make1("FS-003", suite.Beside), make1("FS-004", suite.Beside), make1("FS-005", suite.Alone))
	if diff := cmp.Diff(map[suite.When]int{suite.Beside: 3, suite.Alone: 1, suite.AtEnd: 1}, most); diff != "" {
		t.Error(diff)
	}
	if !slices.IsSorted(order) {
		t.Errorf("order: %v", order)
	}
}

// What waits takes no turn of the others, and they take none of its.
func TestAWaitingCheckRunsOnTopOfTheOthers(t *testing.T) {
	var beside, most atomic.Int32
	waiting := make(chan struct{}, 2)
	over := make(chan struct{})
	wait := check("NT-001", func(t *suite.T) {
		waiting <- struct{}{}
		select {
		case <-over:
		case <-time.After(10 * time.Second):
			t.Errorf("the others did not run meanwhile")
		}
	})
	wait.When = suite.Waiting
	again := wait
	again.ID = "NT-002"
	var left atomic.Int32
	left.Store(2)
	turn := func(t *suite.T) {
		most.Store(max(most.Load(), beside.Add(1)))
		<-waiting // one of those is there, although there is one turn only
		t.Rest(20 * time.Millisecond)
		beside.Add(-1)
		if left.Add(-1) == 0 {
			close(over)
		}
	}
	report := run(t, target(t, ""), suite.Options{Parallel: 1}, check("FS-001", turn), check("FS-002", turn), wait, again)
	for _, r := range report.Results {
		if r.Outcome != suite.Passed {
			t.Errorf("%s: %s %v", r.ID, r.Outcome, r.Failures)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d of the others ran at once, want 1", most.Load())
	}
}

func TestWhatAProviderLeavesAndTellsIsKnownAtTheEnd(t *testing.T) {
	var left, leaks []string
	end := check("RS-001", func(t *suite.T) {
		residue, looked := t.Residue()
		for _, r := range residue {
			left = append(left, r.Check+" "+r.Kind)
		}
		if looked != 1 {
			t.Errorf("looked at %d checks", looked)
		}
		leaks = t.Leaks()
	})
	end.When = suite.AtEnd
	report := run(t, target(t, "litters leaks"), suite.Options{}, check("LC-001", func(t *suite.T) { t.Open(suite.Spec{}) }), end)
	if n := report.Totals(); n.Passed != 2 {
		t.Errorf("%+v", report.Results)
	}
	if diff := cmp.Diff([]string{"LC-001 process", "LC-001 temporary file"}, left); diff != "" {
		t.Error(diff)
	}
	// Also the environment in which it was looked whether this is a provider.
	if len(leaks) == 0 || !strings.Contains(strings.Join(leaks, ";"), "CONFORMANCE_API_KEY in the output of LC-001") {
		t.Errorf("%q", leaks)
	}
}

func TestAnInterruptedRunSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	first := check("FS-001", func(t *suite.T) {
		cancel()
		t.Rest(time.Minute)
	})
	t.Setenv("TMPDIR", t.TempDir())
	report, err := suite.Run(ctx, target(t, ""), []suite.Check{first, check("FS-002", func(*suite.T) {})}, suite.Options{Parallel: 1})
	if !errors.Is(err, context.Canceled) || report == nil {
		t.Fatalf("%v, %v", report, err)
	}
	if r := report.Results[1]; r.Outcome != suite.Errored || r.Reason != "the run was interrupted" {
		t.Errorf("%+v", r)
	}
}

func TestAProjectIsACleanCheckoutOfItsOwn(t *testing.T) {
	run(t, target(t, ""), suite.Options{}, check("LC-001", func(c *suite.T) {
		a, b := c.NewProject(), c.NewProject()
		if a == b || c.Git(a, "status", "--porcelain") != "" || c.Git(a, "rev-list", "--count", "HEAD") != "2" {
			t.Errorf("%s, %s: %q", a, b, c.Git(a, "status", "--porcelain"))
		}
		for name, want := range suite.ProjectFiles {
			if got, err := os.ReadFile(filepath.Join(b, name)); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}))
}
