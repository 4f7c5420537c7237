package report

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// step is one line of a conversation: a frame, a failure that was noted after
// it, or a number of frames that are not shown.
type step struct {
	Frame   *suite.ShownFrame
	Failure *suite.Failure
	Skipped int
}

// conversation puts a result's frames and failures in their order, with the gaps
// between those frames that are shown.
func conversation(r *suite.Result, shown []suite.ShownFrame) []step {
	var steps []step
	failures := r.Failures // in the order in which they were noted
	noted := func(before int) {
		for len(failures) > 0 && failures[0].Frame < before {
			steps = append(steps, step{Failure: &failures[0]})
			failures = failures[1:]
		}
	}
	last, after := 0, r.FramesLeftOut+len(r.Frames)-len(shown)
	for i := range shown {
		f := &shown[i]
		noted(f.Number)
		if f.Number > last+1 {
			after -= f.Number - last - 1
			steps = append(steps, step{Skipped: f.Number - last - 1})
		}
		steps = append(steps, step{Frame: f})
		last = f.Number
	}
	if after > 0 {
		steps = append(steps, step{Skipped: after})
	}
	for i := range failures {
		steps = append(steps, step{Failure: &failures[i]})
	}
	return steps
}
