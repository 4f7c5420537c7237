package network

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/runtime"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

func begin() []suite.Check {
	return []suite.Check{
		{
			ID: "NT-014", Level: suite.Must, Needs: playsRuntime,
			Title: "A runtime that needs 3 s to listen is waited for",
			Why:   "On a loaded machine agent servers take seconds to start; an environment that fails then never starts there.",
			Run: func(t *suite.T) {
				w := play(t, suite.Spec{}, "--ready-after", "3s")
				w.Start()
				if n := w.noted(runtime.Greeted); n != 1 {
					t.Errorf("when the start was answered %d connections to the runtime were registered", n)
				}
				w.startAgents("first", 1)
				w.awaitTold(suite.AnswerLimit, "first0")
			},
		},
		{
			ID: "NT-015", Level: suite.Must, When: suite.Waiting, Needs: playsRuntime,
			Title: "A start whose runtime never says registered fails in time, with a reason, and ends that runtime",
			Why:   "The server waits for the start; a runtime that stays holds its port and nobody knows of it.",
			Run: func(t *suite.T) {
				w := play(t, suite.Spec{}, "--greet-after", "-1s")
				w.Launch()
				answer := w.Ask(w.StartMessage())
				if suite.Problem(answer) == "" || answer.Text("error") == "" {
					t.Errorf("the start was answered with %s", answer)
				}
				if w.noted(runtime.Opened) == 0 {
					t.Errorf("the provider never connected to the runtime")
				}
				t.Eventually(20*time.Second, "the runtime of the failed start is gone", func() bool {
					return !slices.ContainsFunc(t.Processes(), func(p suite.Process) bool { return strings.Contains(p.Command, "--dir "+w.dir) })
				})
			},
		},
		{
			ID: "NT-016", Level: suite.Must, Needs: playsRuntime,
			Title: "Nothing is sent to the runtime before it has said registered",
			Why:   "An agent server drops what comes from a connection it has not registered, and what was queued before is overtaken.",
			Run: func(t *suite.T) {
				w := openPlay(t)
				w.steer(func(ctx context.Context) error { return w.rt.GreetAfter(ctx, 3*time.Second) })
				before := w.noted(runtime.Opened)
				w.steer(func(ctx context.Context) error { return w.rt.Cut(ctx, faultproxy.Orderly) })
				t.Eventually(reconnectLimit, "the provider connects to the runtime again", func() bool { return w.noted(runtime.Opened) > before })
				want := w.startAgents("early", 10)
				w.awaitTold(reconnectLimit, want[len(want)-1])
				registered := map[string]bool{}
				for _, e := range w.journal(func(runtime.Entry) bool { return true }) {
					key := fmt.Sprintf("%d-%d", e.PID, e.Connection)
					switch {
					case e.Event == runtime.Greeted:
						registered[key] = true
					case e.Event == runtime.Told && !registered[key]:
						t.Errorf("the runtime was told %s before it had registered the connection", e.Message)
					}
				}
				t.Equal("the order of the prompts", w.toldIDs(), want)
			},
		},
	}
}
