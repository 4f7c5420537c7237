package report

import (
	"encoding/json"
	"io"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// format is the number of the JSON format. It grows when a member changes its
// meaning or goes; new members do not change it.
const format = 1

// WriteJSON writes the document as one JSON object. Its member runs holds each
// run as package suite has it, with its totals and how many frames its results are
// without; equal tells whether all runs had
// the same outcomes, and differences which checks had not.
func WriteJSON(w io.Writer, d *Document) error {
	type run struct {
		*suite.Report
		Totals        suite.Totals `json:"totals"`
		FramesLeftOut int          `json:"framesLeftOut,omitzero"`
	}
	document := struct {
		Format      int          `json:"format"`
		Tool        string       `json:"tool,omitzero"`
		Command     []string     `json:"command,omitzero"`
		Status      int          `json:"status"`
		Conclusion  string       `json:"conclusion"`
		Interrupted bool         `json:"interrupted,omitzero"`
		Equal       bool         `json:"equal"`
		Differences []Difference `json:"differences,omitzero"`
		Runs        []run        `json:"runs"`
	}{
		Format: format, Tool: d.Tool, Command: d.Command, Status: d.Status(), Conclusion: d.Conclusion(),
		Interrupted: d.Interrupted, Differences: d.Differences(),
	}
	document.Equal = len(document.Differences) == 0
	for _, r := range d.Runs {
		document.Runs = append(document.Runs, run{r, r.Totals(), leftOut(r)})
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	return encoder.Encode(document)
}
