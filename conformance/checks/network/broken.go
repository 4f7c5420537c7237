package network

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/runtime"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

func broken() []suite.Check {
	return []suite.Check{
		{
			ID: "NT-022", Level: suite.Must, Needs: playsRuntime,
			Title: "50 agent starts made while the runtime is away arrive when it is back, once and in order",
			Why:   "They were acknowledged; a prompt that vanished then is a user who waits for ever.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				from := w.Now()
				w.steer(w.rt.Leave)
				w.degraded(from)
				want := w.startAgents("away", 50)
				w.steer(w.rt.Return)
				w.awaitTold(reconnectLimit, want[len(want)-1])
				w.TellText(odd)
				w.awaitTold(suite.AnswerLimit, "odd")
				t.Equal("what the runtime was told", w.toldIDs(), append(want, "odd"))
			},
		},
		{
			ID: "NT-023", Level: suite.Must, Needs: playsRuntime,
			Title: "Messages to the runtime stay in order and come at most once when its connection is cut in their middle",
			Why:   "A prompt that comes twice starts two agents on the same work.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				next := 0
				for round := range 8 {
					connections := w.noted(runtime.Greeted)
					w.steer(func(ctx context.Context) error {
						return w.rt.CutAfter(ctx, faultproxy.Up, int64(2_000+5_333*round), []faultproxy.End{faultproxy.Reset, faultproxy.Orderly}[round%2])
					})
					for range 50 {
						w.Tell(suite.Message{"type": "agentNote", "messageId": fmt.Sprintf("%06d", next), "pad": text(4 << 10)})
						next++
					}
					t.Eventually(reconnectLimit, "the provider connects to the runtime again", func() bool { return w.noted(runtime.Greeted) > connections })
				}
				w.Tell(suite.Message{"type": "agentNote", "messageId": "last"})
				w.awaitTold(reconnectLimit, "last")
				got := w.toldIDs()
				if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
					t.Errorf("the runtime was told, in this order: %v", got)
				}
				if len(got) < 8 { // most were under way at a break
					t.Errorf("only %d of %d messages reached the runtime over 8 breaks", len(got), next)
				}
			},
		},
		{
			ID: "NT-024", Level: suite.Must, Needs: playsRuntime,
			Title: "Messages of the runtime stay in order and come at most once when its connection is cut in their middle",
			Why:   "Half a message passed on is a syntax error in the server; one passed on twice is a step taken twice.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				from := w.Now()
				for round := range 8 {
					connections := w.noted(runtime.Greeted)
					w.steer(func(ctx context.Context) error {
						return w.rt.CutAfter(ctx, faultproxy.Down, int64(2_000+5_333*round), []faultproxy.End{faultproxy.Reset, faultproxy.Orderly}[round%2])
					})
					w.steer(func(ctx context.Context) error { return w.rt.Count(ctx, 50*round, 50, 4<<10, 0) })
					t.Eventually(reconnectLimit, "the provider connects to the runtime again", func() bool { return w.noted(runtime.Greeted) > connections })
				}
				w.marker(reconnectLimit)
				got := w.numbered(from)
				rising(t, "the runtime's messages", got)
				if len(got) < 8 {
					t.Errorf("only %d of 400 messages came over 8 breaks", len(got))
				}
				for _, f := range w.Heard(from, suite.OfType("numbered")) {
					if size := len(f.Message().Text("pad")); size != 4<<10 {
						t.Errorf("a message came with %d of its %d bytes", size, 4<<10)
					}
				}
			},
		},
		{
			ID: "NT-025", Level: suite.Must, Needs: playsRuntime,
			Title: "The loss of the runtime's connection shows in the next heartbeat, and its return too",
			Why:   "It is the only sign by which a server can tell that agents do not hear it, and that messages under way may be lost.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				w.healthy(0)
				from := w.Now()
				w.steer(w.rt.Leave)
				w.degraded(from)
				from = w.Now()
				w.steer(w.rt.Return)
				w.healthy(from)
			},
		},
		{
			ID: "NT-026", Level: suite.Must, Needs: playsRuntime,
			Title: "The death of the runtime's process shows in a heartbeat, and file requests are answered on",
			Why:   "A dead runtime that is reported healthy is an environment whose agents never start.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				from := w.Now()
				w.steer(w.rt.Die)
				w.degraded(from)
				alive(t, w.Env)
			},
		},
		{
			ID: "NT-027", Level: suite.Should, Needs: playsRuntime, NodeSDK: "it starts a runtime only with the environment",
			Title: "A runtime that died is started again and is told what was sent meanwhile",
			Why:   "Otherwise one crash of an agent server costs the environment.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				from := w.Now()
				w.steer(w.rt.Die)
				w.degraded(from)
				from = w.Now()
				want := w.startAgents("dead", 5)
				w.awaitTold(reconnectLimit, want[len(want)-1])
				t.Equal("what the runtime was told", w.toldIDs(), want)
				if n := w.noted(runtime.Started); n != 2 {
					t.Errorf("the runtime was started %d times for one death", n)
				}
				w.healthy(from)
			},
		},
		{
			ID: "NT-028", Level: suite.Must, When: suite.Waiting, Needs: playsRuntime,
			Title: "A runtime that hangs up after each greeting is called with growing pauses",
			Why:   "A provider that calls without pause takes a processor and fills the runtime's log, for ever.",
			Run: func(t *suite.T) {
				w := openPlay(t)
				w.steer(func(ctx context.Context) error { return w.rt.HangUp(ctx, true) })
				before := w.noted(runtime.Opened)
				w.steer(func(ctx context.Context) error { return w.rt.Cut(ctx, faultproxy.Orderly) })
				t.Within(12*time.Second, func() bool { return w.noted(runtime.Opened)-before > 60 })
				if n := w.noted(runtime.Opened) - before; n < 1 || n > 60 {
					t.Errorf("the provider connected %d times within 12 s; with growing pauses it is between 1 and 60", n)
				}
				w.steer(func(ctx context.Context) error { return w.rt.HangUp(ctx, false) })
				w.startAgents("stays", 1)
				w.awaitTold(2*reconnectLimit, "stays0")
			},
			Limit: 120 * time.Second,
		},
	}
}
