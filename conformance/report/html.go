package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle template.CSS

//go:embed page.js
var pageScript template.JS

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"span": span, "visible": Visible, "pretty": pretty, "count": count, "conversation": conversation, "plain": plain,
	"join": func(argv []string) string { return strings.Join(argv, " ") }, "trim": strings.TrimSpace,
}).Parse(pageText))

// WriteHTML writes the document as one page that needs nothing else: no other
// file, no network, no script to be read.
func WriteHTML(w io.Writer, d *Document) error {
	run := d.Runs[0]
	var missing []suite.Capability
	for _, v := range d.verdicts() {
		if v.Missing != "" && !slices.Contains(missing, v.Missing) {
			missing = append(missing, v.Missing)
		}
	}
	var all suite.Report
	for _, r := range d.Runs {
		all.Duration += r.Duration
	}
	return page.Execute(w, map[string]any{
		"Style": pageStyle, "Script": pageScript,
		"Document": d, "Run": run, "Name": d.name(), "Took": all.Duration, "Totals": d.Totals(), "Tone": d.tone(),
		"Conclusion": d.Conclusion(), "Groups": d.htmlGroups(), "Differences": d.Differences(), "Missing": missing, "Kept": d.kept(),
	})
}

// htmlCheck is a check as the page shows it.
type htmlCheck struct {
	verdict
	Runs []suite.Outcome // when they differ
}

type htmlGroup struct {
	group
	Checks []htmlCheck
}

func (d *Document) htmlGroups() []htmlGroup {
	differ := map[string]bool{}
	for _, difference := range d.Differences() {
		differ[difference.ID] = true
	}
	var all []htmlGroup
	for _, g := range d.groups() {
		h := htmlGroup{group: g}
		for _, v := range g.Verdicts {
			c := htmlCheck{verdict: v}
			if differ[v.ID] {
				c.Runs = v.outcomes
			}
			h.Checks = append(h.Checks, c)
		}
		all = append(all, h)
	}
	return all
}

// Open reports whether the page shows the check unfolded.
func (c htmlCheck) Open() bool { return c.Outcome == suite.Failed || c.Outcome == suite.Errored }

// tone is the outcome that gives the page's head its colour.
func (d *Document) tone() suite.Outcome {
	switch n := d.Totals(); {
	case !d.Interrupted && n.Failed > n.FailedShould:
		return suite.Failed
	case d.Interrupted || n.Errored > 0 || n.Passed+n.Failed == 0:
		return suite.Errored
	}
	return suite.Passed
}

// pretty is a text as indented JSON, or as it is when it is none.
func pretty(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return Visible(text)
	}
	return Visible(b.String())
}

// plain is a text to stand between two tags, with no more escapes than that
// needs: frames are full of quotation marks.
func plain(text string) template.HTML {
	return template.HTML(between.Replace(Visible(text))) //nolint:gosec // escaped above
}

var between = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
