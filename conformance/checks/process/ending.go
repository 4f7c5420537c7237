package process

import "github.com/codeboltai/codebolt-providers/conformance/suite"

func ending() []suite.Check {
	return []suite.Check{
		{
			ID: "PR-055", Level: suite.Must, NodeSDK: nodeNoExit, Needs: []suite.Capability{"closeSignal"},
			Title: "closeSignal is answered flat, and the process then exits with status 0",
			Why:   "A server that closes has to kill what does not go, and cannot tell it from a crash.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				r := request{suite.Message{"type": "closeSignal"}, "closeSignalResponse", false}
				answer := e.Ask(r.message)
				flat(t, r, answer)
				either(t, r, answer, false)
				t.Equal("the exit status", e.Exit(suite.ExitLimit), 0)
			},
		},
		{
			ID: "PR-056", Level: suite.Must, NodeSDK: nodeNoExit, Needs: []suite.Capability{"providerStop"},
			Title: "providerStop is answered, and the process then exits with status 0",
			Why:   "Every environment that was ever stopped would keep a process.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				r := request{suite.Message{"type": "providerStop", "environmentName": e.Name()}, "providerStopResponse", false}
				answer := e.Ask(r.message) // and nothing else: Stop ends a process that stays
				event(t, r, answer)
				either(t, r, answer, false)
				t.Equal("the exit status", e.Exit(suite.ExitLimit), 0)
			},
		},
	}
}
