package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// WriteMarkdown writes a short summary: the conclusion, the outcomes by group,
// and what did not pass. CI shows it beside a run.
func WriteMarkdown(w io.Writer, d *Document) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s %s\n\n", plainText(d.name()), plainText(d.Conclusion()))
	b.WriteString("| group | | pass | fail | skip | error |\n|---|---|--:|--:|--:|--:|\n")
	row := func(id, title string, n suite.Totals) {
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d |\n", id, title, n.Passed, n.Failed, n.Skipped, n.Errored)
	}
	for _, g := range d.groups() {
		row(g.ID, g.Title, g.Totals)
	}
	row("", "**all**", d.Totals())
	if differences := d.Differences(); len(d.Runs) > 1 {
		fmt.Fprintf(&b, "\n%d runs, ", len(d.Runs))
		if len(differences) == 0 {
			b.WriteString("all with equal results.\n")
		} else {
			b.WriteString("with different results:\n\n")
		}
		for _, difference := range differences {
			fmt.Fprintf(&b, "- %s %s: %v\n", difference.ID, plainText(difference.Title), difference.Outcomes)
		}
	}
	for _, v := range d.verdicts() {
		if v.Outcome != suite.Failed && v.Outcome != suite.Errored {
			continue
		}
		fmt.Fprintf(&b, "\n<details><summary><b>%s</b> %s (%s, %s)</summary>\n\n%s\n</details>\n",
			v.ID, plainText(v.Title), v.Level, v.Outcome, fenced(explain(v.Result)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteReference writes the reference of checks as a Markdown page.
func WriteReference(w io.Writer, checks []suite.Check) error {
	var b strings.Builder
	must := 0
	for i := range checks {
		if checks[i].Level == suite.Must {
			must++
		}
	}
	fmt.Fprintf(&b, "# The conformance checks\n\n"+
		"<!-- Written by: codebolt-conformance list --markdown (make docs). Do not edit. -->\n\n"+
		"Every check of the suite: %d, of which %d are of level MUST. [conformance.md](conformance.md) tells how to run\n"+
		"them and how to read a failure; `codebolt-conformance explain ID` prints one.\n", len(checks), must)
	for _, g := range suite.Groups {
		begun := false
		for i := range checks {
			c := &checks[i]
			if c.Group() != g.ID {
				continue
			}
			if !begun {
				fmt.Fprintf(&b, "\n## %s: %s\n", g.ID, g.Title)
				begun = true
			}
			fmt.Fprintf(&b, "\n### %s: %s\n\n%s. %s\n", c.ID, plainText(c.Title), c.Level, plainText(c.Why))
			if len(c.Needs) > 0 {
				needs := make([]string, 0, len(c.Needs))
				for _, need := range c.Needs {
					needs = append(needs, "`"+string(need)+"`")
				}
				fmt.Fprintf(&b, "\nSkipped unless the provider declares %s.\n", strings.Join(needs, " and "))
			}
			if c.NodeSDK != "" {
				fmt.Fprintf(&b, "\nSkipped in the profile `node-compat`: %s\n", plainText(strings.TrimSuffix(c.NodeSDK, ".")+"."))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plainText escapes what Markdown or HTML would read as markup.
func plainText(text string) string {
	return markup.Replace(strings.Join(strings.Fields(Visible(text)), " "))
}

var markup = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;")

// fenced is a code block that the text cannot end.
func fenced(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "text\n" + Visible(strings.TrimSuffix(text, "\n")) + "\n" + fence + "\n"
}
