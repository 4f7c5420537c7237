package process

import "github.com/codeboltai/codebolt-providers/conformance/suite"

func crash() []suite.Check {
	return []suite.Check{{
		ID: "PR-030", Level: suite.Must, Needs: []suite.Capability{"providerWriteFile", "providerReadFile"},
		Title: "The next process after one that was killed finds the same environment",
		Why:   "A second environment in its place hides the work in the first, and costs as much again.",
		Run: func(t *suite.T) {
			e := t.Open(suite.Spec{})
			keeps(t, e, e.Crash)
		},
	}}
}
