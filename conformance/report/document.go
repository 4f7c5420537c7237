package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Document is what a report tells: one run, or several of the same checks. It
// has at least one run.
type Document struct {
	// Tool is the version of the program that ran the checks.
	Tool string
	// Command is the provider's argv, without secrets; nil leaves it out.
	Command []string
	// Interrupted tells that the last run was ended before its time.
	Interrupted bool
	Runs        []*suite.Report
}

// Difference is a check that did not have the same outcome in all runs.
type Difference struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Outcomes []suite.Outcome `json:"outcomes"` // run by run
}

// Differences are the checks whose outcomes differ between the runs, in the
// order of the checks.
func (d *Document) Differences() []Difference {
	var found []Difference
	for _, v := range d.verdicts() {
		for _, outcome := range v.outcomes {
			if outcome != v.outcomes[0] {
				found = append(found, Difference{ID: v.ID, Title: v.Title, Outcomes: v.outcomes})
				break
			}
		}
	}
	return found
}

// Totals counts each check once, with the worst of its outcomes.
func (d *Document) Totals() suite.Totals {
	whole := suite.Report{}
	for _, v := range d.verdicts() {
		whole.Results = append(whole.Results, *v.Result)
	}
	return whole.Totals()
}

// Status is the exit status: the worst of the runs'.
func (d *Document) Status() int {
	status := 0
	for _, run := range d.Runs {
		status = max(status, run.Totals().Status())
	}
	return status
}

// verdict is a check with what came of it in all runs.
type verdict struct {
	*suite.Result // the worst
	outcomes      []suite.Outcome
}

// severity orders outcomes; a failure says more than an error of the suite.
var severity = map[suite.Outcome]int{suite.Passed: 0, suite.Skipped: 1, suite.Errored: 2, suite.Failed: 3}

func (d *Document) verdicts() []verdict {
	var all []verdict
	at := map[string]int{}
	for _, run := range d.Runs {
		for i := range run.Results {
			result := &run.Results[i]
			n, known := at[result.ID]
			if !known {
				n = len(all)
				at[result.ID] = n
				all = append(all, verdict{Result: result})
			}
			v := &all[n]
			v.outcomes = append(v.outcomes, result.Outcome)
			if severity[result.Outcome] > severity[v.Outcome] {
				v.Result = result
			}
		}
	}
	return all
}

// name is what the provider is called.
func (d *Document) name() string {
	run := d.Runs[0]
	return cmp.Or(run.Name, filepath.Base(run.Program))
}

// Conclusion is the outcome in a sentence.
func (d *Document) Conclusion() string {
	n := d.Totals()
	must := n.Failed - n.FailedShould
	switch {
	case d.Interrupted:
		return "interrupted: what has not ended is an error and says nothing of the provider"
	case must > 0 && n.Errored > 0:
		return fmt.Sprintf("does not conform: %s of level MUST failed, and the suite itself failed in %d", count(must, "check"), n.Errored)
	case must > 0:
		return fmt.Sprintf("does not conform: %s of level MUST failed", count(must, "check"))
	case n.Errored > 0:
		return fmt.Sprintf("no verdict: the suite itself failed in %s", count(n.Errored, "check"))
	case n.Passed+n.FailedShould == 0:
		return "no verdict: every check was skipped"
	case n.FailedShould > 0:
		return fmt.Sprintf("conforms, but %s of level SHOULD failed", count(n.FailedShould, "check"))
	case n.Skipped > 0:
		return fmt.Sprintf("conforms: %s passed, %d skipped", count(n.Passed, "check"), n.Skipped)
	}
	return fmt.Sprintf("conforms: %s passed", count(n.Passed, "check"))
}

// leftOut is how many frames of the results crossed and are not among them.
func leftOut(run *suite.Report) int {
	n := 0
	for i := range run.Results {
		n += run.Results[i].FramesLeftOut
	}
	return n
}

// kept says what part of the conversations the document holds; "" when that is
// all of it.
func (d *Document) kept() string {
	shown, out := 0, 0
	for _, v := range d.verdicts() {
		shown += len(v.Frames)
		out += v.FramesLeftOut
	}
	if out == 0 {
		return ""
	}
	which := map[suite.Keep]string{
		suite.KeepFew:    "those of checks that did not pass, and the last few of each that did, shortened",
		suite.KeepFailed: "those of checks that did not pass",
	}[d.Runs[0].Keep]
	text := fmt.Sprintf("%d of the %d frames that crossed are in this report", shown, shown+out)
	if which == "" {
		return text + "."
	}
	return text + ": " + which + ". With --frames all it holds every one."
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// group is a group with what came of its checks.
type group struct {
	ID, Title string
	Verdicts  []verdict
	suite.Totals
}

// groups are the groups that have checks in this document.
func (d *Document) groups() []group {
	of := map[string][]verdict{}
	for _, v := range d.verdicts() {
		of[v.Group] = append(of[v.Group], v)
	}
	var all []group
	for _, known := range suite.Groups {
		verdicts := of[known.ID]
		if len(verdicts) == 0 {
			continue
		}
		whole := suite.Report{}
		for _, v := range verdicts {
			whole.Results = append(whole.Results, *v.Result)
		}
		all = append(all, group{ID: known.ID, Title: known.Title, Verdicts: verdicts, Totals: whole.Totals()})
	}
	return all
}

// Visible is a text in which what would command a terminal, or is forbidden in
// XML, is written out. Newlines and tabs stay.
func Visible(text string) string {
	plain := func(r rune) bool {
		return r == '\n' || r == '\t' || r >= 0x20 && r < 0x7f || r >= 0xa0 && r < 0xfffe && !direction(r) || r > 0xffff
	}
	text = strings.ToValidUTF8(text, "\ufffd")
	if strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if plain(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// direction reports whether a rune changes the direction of the text after it.
func direction(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
