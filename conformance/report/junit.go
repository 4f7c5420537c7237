package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
	Skipped *junitSkip    `xml:"skipped"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitProblem struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type junitSkip struct {
	Message string `xml:"message,attr"`
}

// WriteJUnit writes the document as JUnit XML: a testsuite for each group of each
// run, a testcase for each check. A failure's type is the level of the check; an
// error is one of the suite. What a check did is told where it did not pass, and
// of every check only in a run that kept all.
func WriteJUnit(w io.Writer, d *Document) error {
	all := junitSuites{Name: Visible("conformance of " + d.name())}
	var took time.Duration
	for i, run := range d.Runs {
		took += run.Duration
		one := Document{Runs: []*suite.Report{run}}
		for _, g := range one.groups() {
			s := junitSuite{
				Name: g.ID + " " + g.Title, Tests: len(g.Verdicts), Failures: g.Failed, Errors: g.Errored, Skipped: g.Skipped,
				Timestamp: run.Started.UTC().Format("2006-01-02T15:04:05"),
			}
			if len(d.Runs) > 1 {
				s.Name += fmt.Sprintf(" (run %d)", i+1)
			}
			var spent time.Duration
			for _, v := range g.Verdicts {
				spent += v.Duration
				s.Cases = append(s.Cases, testcase(v.Result, run.Keep))
			}
			s.Time = seconds(spent)
			all.Tests += s.Tests
			all.Failures += s.Failures
			all.Errors += s.Errors
			all.Skipped += s.Skipped
			all.Suites = append(all.Suites, s)
		}
	}
	all.Time = seconds(took)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func testcase(r *suite.Result, keep suite.Keep) junitCase {
	c := junitCase{Name: Visible(r.ID + " " + r.Title), Class: "conformance." + r.Group, Time: seconds(r.Duration)}
	switch r.Outcome {
	case suite.Failed:
		c.Failure = &junitProblem{Type: string(r.Level), Message: Visible(firstLine(r)), Text: Visible(explain(r))}
	case suite.Errored:
		c.Error = &junitProblem{Type: "suite", Message: Visible(r.Reason), Text: Visible(explain(r))}
	case suite.Skipped:
		c.Skipped = &junitSkip{Message: Visible(r.Reason)}
	case suite.Passed:
	}
	if r.Outcome == suite.Failed || r.Outcome == suite.Errored || r.Outcome == suite.Passed && keep == suite.KeepAll {
		c.Output = Visible(strings.Join(r.Story, "\n"))
	}
	return c
}

func firstLine(r *suite.Result) string {
	if len(r.Failures) == 0 {
		return r.Title
	}
	return r.Failures[0].Message
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
