package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// WriteResult writes what came of one check as text: its sentence, what was
// expected and what came, whom it harms, and the frames around it.
func WriteResult(w io.Writer, r *suite.Result) error {
	_, err := fmt.Fprintf(w, "%s  %s  %s\n%s", r.Outcome, r.ID, Visible(r.Title), Visible(indent(explain(r))))
	return err
}

// explain is a result without its heading.
func explain(r *suite.Result) string {
	var b strings.Builder
	if r.Reason != "" {
		fmt.Fprintf(&b, "%s\n", r.Reason)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "%s\n", f.Message)
		if f.Expected != "" || f.Got != "" {
			fmt.Fprintf(&b, "  expected: %s\n  got:      %s\n", hang(f.Expected), hang(f.Got))
		}
	}
	if r.Outcome == suite.Failed {
		fmt.Fprintf(&b, "%s, because: %s\n", r.Level, r.Why)
	}
	shown := r.Around()
	if len(shown) > 0 {
		fmt.Fprintln(&b, "frames (-> to the provider, <- from it):")
	}
	for _, step := range conversation(r, shown) {
		switch {
		case step.Frame != nil:
			arrow := "->"
			if step.Frame.In {
				arrow = "<-"
			}
			fmt.Fprintf(&b, "  %7s  %s %s\n", fmt.Sprintf("%d ms", step.Frame.At), arrow, cut(step.Frame.Text, shownText))
		case step.Skipped > 0:
			fmt.Fprintf(&b, "           … %s not shown\n", count(step.Skipped, "frame"))
		case len(shown) > 0:
			fmt.Fprintf(&b, "           ## here: %s\n", cut(step.Failure.Message, 100))
		}
	}
	if output := strings.TrimSpace(r.Output); output != "" {
		fmt.Fprintf(&b, "what the provider printed at last:\n  %s\n", strings.ReplaceAll(tail(output), "\n", "\n  "))
	}
	return b.String()
}

const (
	shownText  = 400  // bytes of a frame in a text
	shownPrint = 4000 // bytes of what a provider printed
)

// WriteSummary writes the outcomes by group, what differed between runs, and the
// conclusion.
func WriteSummary(w io.Writer, d *Document) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "GROUP\t\tPASS\tFAIL\tSKIP\tERROR")
	row := func(id, title string, n suite.Totals) {
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%d\t%d\n", id, title, n.Passed, n.Failed, n.Skipped, n.Errored)
	}
	for _, g := range d.groups() {
		row(g.ID, g.Title, g.Totals)
	}
	row("", "all", d.Totals())
	if err := tw.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	if n := len(d.Runs); n > 1 {
		differences := d.Differences()
		if len(differences) == 0 {
			fmt.Fprintf(&b, "\n%d runs, all with equal results\n", n)
		} else {
			fmt.Fprintf(&b, "\n%d runs, with different results of %s:\n", n, count(len(differences), "check"))
		}
		for _, difference := range differences {
			outcomes := make([]string, 0, n)
			for _, outcome := range difference.Outcomes {
				outcomes = append(outcomes, string(outcome))
			}
			fmt.Fprintf(&b, "  %s  %s  %s\n", difference.ID, strings.Join(outcomes, " "), Visible(difference.Title))
		}
	}
	var took time.Duration
	for _, run := range d.Runs {
		took += run.Duration
	}
	_, err := fmt.Fprintf(w, "%s\n%s %s (%s, %s)\n", b.String(), Visible(d.name()), d.Conclusion(), d.Runs[0].Profile, span(took))
	return err
}

// span is a duration as people read it.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
}

// hang indents all lines but the first, below a label.
func hang(text string) string { return strings.ReplaceAll(text, "\n", "\n            ") }

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + "…"
}

func tail(text string) string {
	if len(text) <= shownPrint {
		return text
	}
	return "… " + strings.ToValidUTF8(text[len(text)-shownPrint:], "")
}
