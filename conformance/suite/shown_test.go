package suite_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// talk opens an environment and reads a number of files: two frames for the start
// and two for each file.
func talk(t *suite.T, files int, path string) *suite.Env {
	e := t.Open(suite.Spec{})
	for range files {
		e.Result(suite.Message{"type": "providerReadFile", "path": path})
	}
	return e
}

func TestAReportHoldsFewFramesOfACheckThatPassedAndAllOfOneThatFailed(t *testing.T) {
	long := strings.Repeat("p", 2000)
	pass := check("FS-001", func(t *suite.T) { talk(t, 14, long) })
	fail := check("FS-002", func(t *suite.T) {
		talk(t, 14, long)
		t.Errorf("it is wrong")
	})
	skip := check("FS-003", func(t *suite.T) {
		talk(t, 14, long)
		t.Skipf("there is none here")
	})
	type kept struct {
		Frames, LeftOut, Steps int
		Whole                  bool // the last frame
	}
	all := kept{30, 0, 15, true}
	failed := kept{30, 0, 16, true} // one step more: the failure
	for keep, want := range map[suite.Keep][]kept{
		"":               {{4, 26, 11, false}, failed, {4, 26, 11, false}},
		suite.KeepFailed: {{0, 30, 11, false}, failed, {0, 30, 11, false}},
		suite.KeepAll:    {all, failed, all},
	} {
		report := run(t, target(t, ""), suite.Options{Keep: keep}, pass, fail, skip)
		var got []kept
		for _, r := range report.Results {
			k := kept{Frames: len(r.Frames), LeftOut: r.FramesLeftOut, Steps: len(r.Story)}
			if k.Frames > 0 {
				last := r.Frames[k.Frames-1]
				k.Whole = len(last.Text) == last.Bytes
				if last.Number != 30 || last.Type != "remoteProviderEvent providerReadFileResponse" {
					t.Errorf("%q: the last frame of %s is %+v", keep, r.ID, last)
				}
				if !k.Whole && !strings.HasSuffix(last.Text, " bytes left out)") {
					t.Errorf("%q: nothing tells that %s was cut: %s", keep, r.ID, last.Text)
				}
			}
			got = append(got, k)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", keep, diff)
		}
		if report.Keep != keep && (keep != "" || report.Keep != suite.KeepFew) {
			t.Errorf("%q: the report says it keeps %q", keep, report.Keep)
		}
	}
}

func TestHeartbeatsDoNotPushOutWhatACheckIsAbout(t *testing.T) {
	beats := func(t *suite.T) {
		e := talk(t, 2, "p")
		for range 10 {
			e.Tell(suite.Message{"type": "providerHeartbeatResponse"})
		}
	}
	report := run(t, target(t, ""), suite.Options{}, check("FS-001", beats), check("HB-001", beats))
	for i, want := range [][]int{{3, 4, 5, 6}, {13, 14, 15, 16}} {
		r := report.Results[i]
		var got []int
		for _, f := range r.Frames {
			got = append(got, f.Number)
		}
		if diff := cmp.Diff(want, got); diff != "" || r.FramesLeftOut != 12 {
			t.Errorf("%s, with %d left out: %s", r.ID, r.FramesLeftOut, diff)
		}
	}
}

func TestOfVeryManyFramesThoseBesideAFailureAreKept(t *testing.T) {
	report := run(t, target(t, ""), suite.Options{}, check("FS-001", func(t *suite.T) {
		e := talk(t, 50, "p")
		t.Errorf("it is wrong")
		for range 150 {
			e.Result(suite.Message{"type": "providerReadFile", "path": "p"})
		}
	}))
	r := report.Results[0]
	if len(r.Frames) != 200 || r.FramesLeftOut != 202 {
		t.Fatalf("%d frames kept, %d left out", len(r.Frames), r.FramesLeftOut)
	}
	if last := r.Frames[199].Number; last != 402 {
		t.Errorf("the last frame is %d", last)
	}
	var got []int
	for _, f := range r.Around() {
		got = append(got, f.Number)
	}
	if want := []int{91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105}; !cmp.Equal(want, got) {
		t.Errorf("around the failure after frame %d: %v", r.Failures[0].Frame, got)
	}
}

func TestAReportDoesNotNameTheFoldersOfTheMachine(t *testing.T) {
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", "/home/someone")
	report := run(t, target(t, ""), suite.Options{}, check("FS-001", func(t *suite.T) {
		e := t.Open(suite.Spec{})
		t.Logf("%s and /home/someone/file, but not /home/someone2/file", filepath.Join(cwd, "file"))
		t.Logf("it is in %s", e.Workspace())
		t.Equal("the workspace", e.Workspace(), "elsewhere")
		t.Errorf("%s is wrong", e.Path("file"))
	}))
	text, err := json.Marshal(report.Results)
	if err != nil {
		t.Fatal(err)
	}
	if tmp := os.Getenv("TMPDIR"); strings.Contains(string(text), tmp) {
		t.Errorf("it names %s: %s", tmp, text)
	}
	r := report.Results[0]
	if got, want := r.Failures[1].Message, "$RUN/1/project1/file is wrong"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if got, want := r.Story[1], "$PWD/file and $HOME/file, but not /home/someone2/file"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if last := r.Frames[len(r.Frames)-1].Text; !strings.Contains(last, `"workspacePath":"$RUN/1/project1"`) {
		t.Errorf("the frame is %s", last)
	}
}
