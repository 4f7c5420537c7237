package review

import (
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func patches() []suite.Check {
	const why = "The patch is how the work comes back; what it does not hold, or holds wrongly, is lost."
	return []suite.Check{
		{
			ID: "DF-022", Level: suite.Must, Needs: onDisk, Why: why,
			Title: "git apply makes of the raw diff just what the workspace holds",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				work(t, e)
				result, _ := diffOf(t, e)
				applies(t, e, "rawDiff", result.Text("rawDiff"))
			},
		},
		{
			ID: "DF-023", Level: suite.Must, Needs: patching, Why: why,
			Title: "git apply makes of the patch just what the workspace holds",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				work(t, e)
				patch := patchOf(t, e)
				if n := strings.Count(patch, "+staged\n"); checkedOut(t) && n != 2 { // of two files
					t.Errorf("what is staged is in the patch %d times, not once for each of two files", n)
				}
				applies(t, e, "patch", patch)
			},
		},
	}
}
