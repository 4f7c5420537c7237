package agents

import (
	"context"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/agent"
	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// count is how many messages an agent sends while something breaks.
const count = 500

func numbered(m suite.Message) bool { return m["message"] == "numbered" }

// through has an agent send numbered messages, breaks something when some have come, and
// sees that all come.
func through(t *suite.T, w *world, breaks ...func()) {
	w.tell("one", "m1", agent.Step{Count: count, Pause: 4 * time.Millisecond})
	for i, accident := range breaks {
		w.Await(0, patience, "the agent's messages", func(m suite.Message) bool {
			n, _ := m["n"].(float64)
			return numbered(m) && int(n) >= (i+1)*count/(len(breaks)+2)
		})
		accident()
	}
	w.done("m1")
	next, twice := 0, 0
	for _, f := range w.Heard(0, numbered) {
		m := f.Message()
		n, _ := m["n"].(float64)
		switch {
		case int(n) == next:
			next++
		case int(n) > next:
			t.Fatalf("message %v came after message %d", n, next-1)
		case m["replay"] != true:
			t.Fatalf("message %v came again, without replay: %s", n, m)
		default:
			twice++
		}
	}
	if next != count {
		t.Errorf("%d of %d messages came", next, count)
	}
	t.Logf("%d messages came twice", twice)
	for i, f := range w.Heard(0, ends("m1")) {
		if m := f.Message(); i > 0 && m["replay"] != true {
			t.Errorf("the end of the message came again, without replay: %s", m)
		}
	}
}

func breaks() []suite.Check {
	return []suite.Check{
		{
			ID: "AG-015", Level: suite.Must, Needs: needs, Limit: 2 * time.Minute,
			Title: "When the connection to the server breaks, what an agent says comes all the same, in its order, and what comes twice says so",
			Why:   "No agent notices the break, or says anything again.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				cut := func() {
					again := w.Expect(server.Running)
					w.Disconnect()
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					if err := again(ctx); err != nil {
						t.Fatalf("the provider did not connect again: %v", err)
					}
				}
				through(t, w, cut, cut)
			},
		},
		{
			ID: "AG-016", Level: suite.Must, Needs: needs, Limit: 2 * time.Minute,
			Title: "When the provider is killed and started anew, what an agent says comes all the same, in its order, and what comes twice says so",
			Why:   "The agent works on in its runtime; what it said meanwhile is half of its work's story.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				through(t, w, func() {
					w.Crash()
					w.Start()
				})
			},
		},
	}
}
