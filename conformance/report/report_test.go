package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/conformance/report"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// hostile is what a provider may have sent: it must end no tag, no code block
// and no line, and command no terminal.
const hostile = "</script><img src=x onerror=alert(1)> ``` ]]> \x1b[31m \x00 \xff \u202e {{.}} | _x_"

func results() []suite.Result {
	return []suite.Result{
		{
			ID: "LC-001", Group: "LC", Title: "A start is answered", Why: "Servers wait.", Level: suite.Must, Outcome: suite.Passed,
			Duration: 1500 * time.Millisecond, Story: []string{"start lc-001-1"},
			Frames: []suite.ShownFrame{{Number: 1, At: 3, Connection: 1, Text: `{"type":"providerStart"}`, Bytes: 24}},
		},
		{
			ID: "LC-002", Group: "LC", Title: "A second start gives the same", Why: "Else there are two.", Level: suite.Must, Outcome: suite.Failed,
			Failures: []suite.Failure{
				{Message: "the result is not as documented", Expected: `{"a":1}`, Got: hostile, Frame: 2},
				{Message: hostile, Frame: 9},
			},
			Frames: []suite.ShownFrame{
				{Number: 1, At: 1, Connection: 1, Text: `{"type":"providerStart"}`, Bytes: 24},
				{Number: 2, At: 4, Connection: 1, In: true, Text: `{"type":"remoteProviderEvent","action":"started"}`, Bytes: 50},
				{Number: 9, At: 80, Connection: 2, In: true, Text: hostile, Bytes: len(hostile)},
			},
			Output: hostile, Story: []string{hostile}, Duration: 20 * time.Millisecond,
		},
		{ID: "FS-001", Group: "FS", Title: "A file is read", Why: "It is shown.", Level: suite.Should, Outcome: suite.Failed, Failures: []suite.Failure{{Message: "it is empty"}}},
		{ID: "FS-002", Group: "FS", Title: "It overwrites", Level: suite.Must, Outcome: suite.Skipped, Reason: "the provider does not declare overwrite", Missing: "overwrite"},
		{ID: "FS-003", Group: "FS", Title: "It lists", Level: suite.Must, Outcome: suite.Errored, Reason: "git init: " + hostile},
	}
}

func document(runs ...[]suite.Result) *report.Document {
	if len(runs) == 0 {
		runs = append(runs, results())
	}
	d := &report.Document{Tool: "1.2.3", Command: []string{"./provider", hostile}}
	for _, r := range runs {
		d.Runs = append(d.Runs, &suite.Report{
			Program: "/srv/provider", Name: "the-provider", Version: "4.5.6", Profile: suite.Strict, DeclaredBy: "--capabilities",
			Capabilities: []suite.Capability{"providerReadFile", "onStop"},
			Started:      time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), Duration: 3 * time.Second, Results: r,
		})
	}
	return d
}

func written(t *testing.T, write func(io.Writer, *report.Document) error, d *report.Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestJSONHoldsEveryRunWithItsTotals(t *testing.T) {
	t.Parallel()
	var got struct {
		Format      int
		Status      int
		Equal       bool
		Differences []report.Difference
		Runs        []struct {
			suite.Report
			Totals suite.Totals
		}
	}
	second := results()
	second[0].Outcome = suite.Failed
	if err := json.Unmarshal([]byte(written(t, report.WriteJSON, document(results(), second))), &got); err != nil {
		t.Fatal(err)
	}
	want := []suite.Totals{{Passed: 1, Failed: 2, Skipped: 1, Errored: 1, FailedShould: 1}, {Failed: 3, Skipped: 1, Errored: 1, FailedShould: 1}}
	if diff := cmp.Diff(want, []suite.Totals{got.Runs[0].Totals, got.Runs[1].Totals}); diff != "" {
		t.Error(diff)
	}
	differences := []report.Difference{{ID: "LC-001", Title: "A start is answered", Outcomes: []suite.Outcome{suite.Passed, suite.Failed}}}
	if diff := cmp.Diff(differences, got.Differences); diff != "" || got.Equal {
		t.Errorf("equal %v\n%s", got.Equal, diff)
	}
	if got.Format != 1 || got.Status != 2 {
		t.Errorf("format %d, status %d", got.Format, got.Status)
	}
	if diff := cmp.Diff(results()[0], got.Runs[0].Results[0]); diff != "" {
		t.Error(diff)
	}
}

func TestJUnitHasASuiteForEachGroupAndIsValidXMLWhateverAProviderSends(t *testing.T) {
	t.Parallel()
	type problem struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string   `xml:"name,attr"`
				Time    string   `xml:"time,attr"`
				Failure *problem `xml:"failure"`
				Error   *problem `xml:"error"`
				Skipped *problem `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	text := written(t, report.WriteJUnit, document())
	if err := xml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err) // Go's decoder refuses forbidden characters
	}
	if diff := cmp.Diff([]int{5, 2, 1, 1}, []int{got.Tests, got.Failures, got.Errors, got.Skipped}); diff != "" {
		t.Error(diff)
	}
	if len(got.Suites) != 2 || got.Suites[0].Name != "LC lifecycle" || got.Suites[1].Name != "FS file requests" {
		t.Fatalf("suites: %+v", got.Suites)
	}
	lc, fs := got.Suites[0].Cases, got.Suites[1].Cases
	if lc[0].Failure != nil || lc[0].Time != "1.500" {
		t.Errorf("LC-001: %+v", lc[0])
	}
	failure := lc[1].Failure
	if failure == nil || failure.Type != "MUST" || failure.Message != "the result is not as documented" ||
		!strings.Contains(failure.Text, `expected: {"a":1}`) || !strings.Contains(failure.Text, `"action":"started"`) || !strings.Contains(failure.Text, `\u001b[31m`) {
		t.Errorf("LC-002: %+v", failure)
	}
	if fs[0].Failure == nil || fs[0].Failure.Type != "SHOULD" {
		t.Errorf("FS-001: %+v", fs[0])
	}
	if fs[1].Skipped == nil || fs[1].Skipped.Message != "the provider does not declare overwrite" {
		t.Errorf("FS-002: %+v", fs[1])
	}
	if fs[2].Error == nil || fs[2].Failure != nil || !strings.HasPrefix(fs[2].Error.Message, "git init: ") {
		t.Errorf("FS-003: %+v", fs[2])
	}
}

func TestTheHTMLPageShowsEveryCheckAndNeedsNothingElse(t *testing.T) {
	t.Parallel()
	page := written(t, report.WriteHTML, document())
	for _, r := range results() {
		if !strings.Contains(page, `id="`+r.ID+`" data-outcome="`+string(r.Outcome)+`"`) {
			t.Errorf("the page has no details of %s", r.ID)
		}
		if !strings.Contains(page, `class="cell `+string(r.Outcome)+`" href="#`+r.ID+`" title="`+r.ID) {
			t.Errorf("the matrix has no cell for %s", r.ID)
		}
	}
	for _, text := range []string{"the-provider", "4.5.6", "strict", "2026-02-03 04:05 UTC", "onStop", "no overwrite", "6 frames not shown", "Servers wait."} {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	if outside := regexp.MustCompile(`(?i)(src|href)\s*=\s*"[^#"][^"]*"|@import|url\(|https?://`).FindAllString(page, -1); outside != nil {
		t.Errorf("the page refers to %q", outside)
	}
	if open := regexp.MustCompile(`<details class="check (\w+)" id="[^"]*" data-outcome="\w+" open`).FindAllStringSubmatch(page, -1); len(open) != 3 {
		t.Errorf("unfolded: %q", open)
	}
}

func TestWhatAProviderSendsStaysTextInEveryFormat(t *testing.T) {
	t.Parallel()
	page := written(t, report.WriteHTML, document())
	for _, forbidden := range []string{"<img", "\x1b", "\x00", "\u202e"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the HTML page holds %q", forbidden)
		}
	}
	if strings.Count(page, "</script>") != 1 {
		t.Error("the HTML page's script was ended by a provider")
	}
	summary := written(t, report.WriteMarkdown, document())
	if strings.Contains(summary, "\x1b") {
		t.Error("the summary holds an escape")
	}
	for _, block := range regexp.MustCompile("(?s)````text\n.*?\n````\n").FindAllString(summary, -1) {
		summary = strings.ReplaceAll(summary, block, "")
	}
	if strings.Contains(summary, "<img") {
		t.Errorf("a provider's text ended a code block:\n%s", summary)
	}
	failed := results()[1]
	var b bytes.Buffer
	if err := report.WriteResult(&b, &failed); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\x00\u202e") {
		t.Errorf("a terminal would obey %q", b.String())
	}
}

func TestAFailureStandsInTheConversationWhereItHappened(t *testing.T) {
	t.Parallel()
	failed := results()[1]
	failed.Failures[1].Message = "the second"
	var b bytes.Buffer
	if err := report.WriteResult(&b, &failed); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, line := range strings.Split(b.String(), "\n") {
		for _, mark := range []string{"1 ms  ->", "4 ms  <-", "here: the result", "6 frames not shown", "80 ms  <-", "here: the second"} {
			if strings.Contains(line, mark) {
				order = append(order, mark)
			}
		}
	}
	want := []string{"1 ms  ->", "4 ms  <-", "here: the result", "6 frames not shown", "80 ms  <-", "here: the second"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("%s\n%s", diff, b.String())
	}
}

func TestAReportSaysHowManyFramesItIsWithout(t *testing.T) {
	t.Parallel()
	few := results()[:2]
	few[0].FramesLeftOut, few[1].FramesLeftOut = 40, 8 // six before its last frame, two after
	d := document(few)
	d.Runs[0].Keep = suite.KeepFew
	page := written(t, report.WriteHTML, d)
	for _, want := range []string{
		"4 of the 52 frames that crossed are in this report: those of checks that did not pass, and the last few", "With --frames all",
		"1 frame, 40 more not shown", "<li class=\"gap\">40 frames not shown</li>", "<li class=\"gap\">6 frames not shown</li>", "<li class=\"gap\">2 frames not shown</li>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	var got struct{ Runs []struct{ FramesLeftOut int } }
	if err := json.Unmarshal([]byte(written(t, report.WriteJSON, d)), &got); err != nil || got.Runs[0].FramesLeftOut != 48 {
		t.Errorf("%v: %+v", err, got)
	}
	whole := written(t, report.WriteHTML, document(results()[:1]))
	if strings.Contains(whole, "that crossed") || strings.Contains(whole, "more not shown") {
		t.Error("a page that has all frames says that it has not")
	}
}

func TestAFrameStandsInThePageOnceAndWithFewEscapes(t *testing.T) {
	t.Parallel()
	page := written(t, report.WriteHTML, document(results()[:1]))
	if n := strings.Count(page, `<code>{"type":"providerStart"}</code>`); n != 1 {
		t.Errorf("it stands there %d times", n)
	}
	if n := strings.Count(page, "providerStart"); n != 1 {
		t.Errorf("its type is written %d times", n)
	}
}

func TestATextShowsOnlyTheFramesAroundAFailure(t *testing.T) {
	t.Parallel()
	failed := results()[1]
	failed.Failures = []suite.Failure{{Message: "it is wrong", Frame: 60}}
	failed.Frames = nil
	for n := 1; n <= 100; n++ {
		failed.Frames = append(failed.Frames, suite.ShownFrame{Number: n, At: int64(n), Text: "{}", Bytes: 2})
	}
	var b bytes.Buffer
	if err := report.WriteResult(&b, &failed); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"… 48 frames not shown\n", " 49 ms  ->", " 63 ms  ->", "… 37 frames not shown\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, b.String())
		}
	}
	if n := strings.Count(b.String(), " ms  ->"); n != 15 {
		t.Errorf("%d frames are shown", n)
	}
}

func TestJUnitTellsWhatACheckDidWhereItDidNotPassOrAllWasKept(t *testing.T) {
	t.Parallel()
	d := document()
	d.Runs[0].Keep = suite.KeepFew
	if text := written(t, report.WriteJUnit, d); strings.Contains(text, "start lc-001-1") || strings.Count(text, "<system-out>") != 1 {
		t.Errorf("few:\n%s", text)
	}
	d.Runs[0].Keep = suite.KeepAll
	if text := written(t, report.WriteJUnit, d); !strings.Contains(text, "<system-out>start lc-001-1</system-out>") {
		t.Errorf("all:\n%s", text)
	}
}

func TestSeveralRunsAreSummedUpByTheWorstOfEach(t *testing.T) {
	t.Parallel()
	good := results()[:1]
	bad := results()[:1]
	bad[0].Outcome = suite.Failed
	for name, test := range map[string]struct {
		d      *report.Document
		status int
		says   []string
	}{
		"all good": {document(good, good), 0, []string{"2 runs, all with equal results", "the-provider conforms: 1 check passed"}},
		"one bad":  {document(good, bad, good), 1, []string{"3 runs, with different results of 1 check", "LC-001  pass fail pass", "does not conform: 1 check of level MUST failed"}},
		"a suite that failed": {document(results()), 2, []string{
			"does not conform: 1 check of level MUST failed, and the suite itself failed in 1", "FS     file requests  0     1     1     1",
		}},
	} {
		if got := test.d.Status(); got != test.status {
			t.Errorf("%s: status %d", name, got)
		}
		text := written(t, report.WriteSummary, test.d)
		for _, want := range test.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, text)
			}
		}
	}
}

func TestTheReferenceNamesNeedsAndReasons(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := report.WriteReference(&b, []suite.Check{
		{ID: "FS-001", Title: "A <file> is read", Why: "Else *nothing* is.", Level: suite.Must, Needs: []suite.Capability{"providerReadFile", "base64"}, NodeSDK: "it cannot"},
		{ID: "RS-001", Title: "Nothing is left", Why: "Disks fill.", Level: suite.Should},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2, of which 1 are of level MUST", "\n## FS: file requests\n\n### FS-001: A &lt;file&gt; is read\n\nMUST. Else \\*nothing\\* is.\n",
		"`providerReadFile` and `base64`", "`node-compat`: it cannot.", "\n## RS: residue\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, b.String())
		}
	}
}
