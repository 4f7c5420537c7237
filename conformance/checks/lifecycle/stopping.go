package lifecycle

import (
	"syscall"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func stopping() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-010", Level: suite.Must, Needs: []suite.Capability{"providerStop"},
			Title: "A stop is answered as documented, and what served the environment ends",
			Why:   "A server that hears nothing kills the process; what goes on costs the user's machine.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				answer := e.Stop("")
				if problem := suite.Problem(answer); problem != "" {
					t.Fatalf("the stop failed: %s", problem)
				}
				t.Equal("the answer's type", answer["type"], "remoteProviderEvent")
				t.Equal("the answer's action", answer["action"], "providerStopResponse")
				traces.NoHelpers(t, "after the stop", e)
			},
		},
		{
			ID: "LC-011", Level: suite.Must, Needs: []suite.Capability{"providerStop"},
			Title: "A stop of something that was never started succeeds",
			Why:   "A server that cleans up after a start that failed must not be told of another failure.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				succeeds(t, "a stop without a start", e.Ask(stop()))
			},
		},
		{
			ID: "LC-012", Level: suite.Must, Needs: []suite.Capability{"providerStop"},
			Title: "Two stops succeed, each answered once",
			Why:   "A server that asks again because it is impatient must not make a failure of a success.",
			Run:   func(t *suite.T) { twice(t, stop(), stop(), "providerStopResponse", 2) },
		},
		{
			ID: "LC-013", Level: suite.Must, Needs: []suite.Capability{"closeSignal"},
			Title: "Two closeSignals succeed, each answered once",
			Why:   "Shutting down is asked for from several places at once.",
			Run:   func(t *suite.T) { twice(t, closeSignal(), closeSignal(), "closeSignalResponse", 2) },
		},
		{
			ID: "LC-014", Level: suite.Must, Needs: []suite.Capability{"closeSignal", "providerStop"},
			Title: "A stop after a closeSignal succeeds",
			Why:   "A server that shuts down closes its environments, and stops those it was about to stop.",
			Run:   func(t *suite.T) { twice(t, closeSignal(), stop(), "providerStopResponse", 1) },
		},
	}
}

func succeeds(t *suite.T, what string, answer suite.Message) {
	if problem := suite.Problem(answer); problem != "" {
		t.Errorf("%s failed: %s", what, problem)
	}
}

// twice ends an environment by two messages sent back to back; name is that of
// the answer to the second.
func twice(t *suite.T, one, two suite.Message, name string, times int) {
	e := t.Open(suite.Spec{})
	e.Result(write("kept.txt", "kept\n"))
	from := e.Now()
	e.Tell(one.With(suite.Message{"requestId": "first-" + e.ID()}))
	succeeds(t, "the second of "+one.Type()+" and "+two.Type(), e.Ask(two))
	succeeds(t, "the first of "+one.Type()+" and "+two.Type(), e.Await(from, soon, "an answer to "+one.Type(), named(one.Type()+"Response")))
	once(t, e, from, name, times)
	traces.NoHelpers(t, "after the second", e)
	leave(t, e)
	e.Start()
	holds(t, e, "after the next start", "kept.txt", "kept\n")
}

func interrupting() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-015", Level: suite.Must, Needs: []suite.Capability{"providerStop"},
			NodeSDK: "its handlers overlap: a stop does not know of the start under way",
			Title:   "A stop during a start cancels or completes it, and leaves nothing running",
			Why:     "A user who changes their mind is left with an environment that nobody owns.",
			Run:     func(t *suite.T) { interrupt(t, stop(), "providerStopResponse") },
		},
		{
			ID: "LC-016", Level: suite.Must, Needs: []suite.Capability{"closeSignal"},
			NodeSDK: "its handlers overlap: a close does not know of the start under way",
			Title:   "A closeSignal during a start cancels or completes it, and leaves nothing running",
			Why:     "A server that shuts down while something starts leaves it to nobody.",
			Run:     func(t *suite.T) { interrupt(t, closeSignal(), "closeSignalResponse") },
		},
	}
}

// interrupt ends environments while they start: at once, and when the provider
// has begun to tell of what it makes.
func interrupt(t *suite.T, end suite.Message, name string) {
	for _, late := range []bool{false, true} {
		e := t.Env(suite.Spec{})
		e.Launch()
		from := e.Now()
		begin(e)
		if late {
			e.Await(from, soon, "anything about the start", func(m suite.Message) bool {
				return m.Type() == "setResourceId" || m.Type() == "notification" || named("providerStartResponse")(m)
			})
		}
		succeeds(t, end.Type()+" during a start", e.Ask(end))
		answer := begun(e, from)
		if problem := suite.Problem(answer); problem == "" {
			t.Equal("success of a start that was completed", answer.Object("message")["success"], true)
		}
		once(t, e, from, "providerStartResponse", 1)
		once(t, e, from, name, 1)
		traces.NoHelpers(t, "after "+end.Type()+" during a start", e)
		leave(t, e)
		e.Start()
		works(t, e, "after a start that was interrupted")
		done(t, e)
	}
}

// gentle are the ways in which an environment ends without anyone having asked
// for its removal.
var gentle = []struct {
	name string
	end  func(e *suite.Env) error
}{
	{"closeSignal", func(e *suite.Env) error { _, err := e.TryAsk(closeSignal()); return err }},
	{"SIGTERM", func(e *suite.Env) error { return e.Signal(syscall.SIGTERM) }},
}
