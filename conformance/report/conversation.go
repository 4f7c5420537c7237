package report

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// step is one line of a conversation: a frame, a failure that was noted after
// it, or a number of frames that are not shown.
type step struct {
	Frame   *suite.ShownFrame
	Failure *suite.Failure
	Skipped int
}

// conversation puts a result's frames and failures in their order.
func conversation(r *suite.Result) []step {
	var steps []step
	failures := r.Failures // in the order in which they were noted
	noted := func(before int) {
		for len(failures) > 0 && failures[0].Frame < before {
			steps = append(steps, step{Failure: &failures[0]})
			failures = failures[1:]
		}
	}
	last := 0
	for i := range r.Frames {
		f := &r.Frames[i]
		noted(f.Number)
		if last > 0 && f.Number > last+1 {
			steps = append(steps, step{Skipped: f.Number - last - 1})
		}
		steps = append(steps, step{Frame: f})
		last = f.Number
	}
	for i := range failures {
		steps = append(steps, step{Failure: &failures[i]})
	}
	return steps
}
