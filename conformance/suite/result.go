package suite

import "time"

// Outcome is what came of a check.
type Outcome string

// The outcomes. Errored is the suite's own failure and says nothing of the
// provider.
const (
	Passed  Outcome = "pass"
	Failed  Outcome = "fail"
	Skipped Outcome = "skip"
	Errored Outcome = "error"
)

// Failure is one thing that was not as it must be.
type Failure struct {
	// Message is a sentence; Expected and Got are set when two values differ.
	Message  string `json:"message"`
	Expected string `json:"expected,omitzero"`
	Got      string `json:"got,omitzero"`
	// Frame is the number of the last frame that had crossed.
	Frame int `json:"frame,omitzero"`
}

// ShownFrame is a frame as a report shows it: redacted and shortened.
type ShownFrame struct {
	Number     int    `json:"number"`
	At         int64  `json:"at"` // milliseconds since the check began
	Connection int    `json:"connection"`
	In         bool   `json:"in"`            // from the provider
	Type       string `json:"type,omitzero"` // as it says itself, with its action
	Text       string `json:"text"`
	Bytes      int    `json:"bytes"` // of the whole frame
}

// Result is what came of one check, once.
type Result struct {
	ID      string  `json:"id"`
	Group   string  `json:"group"`
	Title   string  `json:"title"`
	Why     string  `json:"why"`
	Level   Level   `json:"level"`
	Outcome Outcome `json:"outcome"`
	// Reason says why the check was skipped, or what went wrong with the suite.
	Reason string `json:"reason,omitzero"`
	// Missing is the capability for the lack of which it was skipped.
	Missing  Capability    `json:"missing,omitzero"`
	Failures []Failure     `json:"failures,omitzero"`
	Duration time.Duration `json:"durationNs"`
	// Story is what the check did, a line a step.
	Story []string `json:"story,omitzero"`
	// Frames are those that were kept, and FramesLeftOut is how many more crossed.
	Frames        []ShownFrame `json:"frames,omitzero"`
	FramesLeftOut int          `json:"framesLeftOut,omitzero"`
	// Output is the end of what the provider printed, when the check did not pass.
	Output string `json:"output,omitzero"`
}

// Report is what came of a run.
type Report struct {
	Program      string       `json:"program"`
	Name         string       `json:"name,omitzero"` // of the provider, from its manifest
	Version      string       `json:"version,omitzero"`
	Profile      Profile      `json:"profile"`
	Capabilities []Capability `json:"capabilities"`
	// Keep says which frames the results hold.
	Keep Keep `json:"keep,omitzero"`
	// DeclaredBy says where the capabilities come from.
	DeclaredBy string        `json:"declaredBy,omitzero"`
	Started    time.Time     `json:"started"`
	Duration   time.Duration `json:"durationNs"`
	Results    []Result      `json:"results"`
}

// Totals counts outcomes.
type Totals struct {
	Passed  int `json:"pass"`
	Failed  int `json:"fail"`
	Skipped int `json:"skip"`
	Errored int `json:"error"`
	// FailedShould counts those of Failed that are of level SHOULD.
	FailedShould int `json:"failShould"`
}

// Totals counts the outcomes of a report.
func (r *Report) Totals() Totals {
	var n Totals
	for i := range r.Results {
		switch r.Results[i].Outcome {
		case Passed:
			n.Passed++
		case Failed:
			n.Failed++
			if r.Results[i].Level == Should {
				n.FailedShould++
			}
		case Skipped:
			n.Skipped++
		case Errored:
			n.Errored++
		}
	}
	return n
}

// Status is the exit status of the run as a program gives it: 0 when every check
// of level MUST passed or was skipped, 1 when one failed, 2 when the suite itself
// failed.
func (n Totals) Status() int {
	switch {
	case n.Errored > 0:
		return 2
	case n.Failed > n.FailedShould:
		return 1
	}
	return 0
}
