package network

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/runtime"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

// many is a burst that no queue may silently cut short, and large a message that
// many libraries refuse unless told otherwise.
const (
	many  = 10_000
	large = 20 << 20
)

func volume() []suite.Check {
	return []suite.Check{
		{
			ID: "NT-029", Level: suite.Must, Needs: playsRuntime,
			Title: "10,000 messages of the runtime reach the server, in order",
			Why:   "Agents stream what they think; a gap or a swap garbles it.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				from := w.Now()
				w.steer(func(ctx context.Context) error { return w.rt.Count(ctx, 0, many, 50, 0) })
				w.marker(60 * time.Second)
				whole(t, "the runtime's messages", w.numbered(from), 0, many)
			},
		},
		{
			ID: "NT-030", Level: suite.Must, Needs: playsRuntime,
			Title: "10,000 messages to the runtime reach it, in order",
			Why:   "They are the replies that agents wait for, and each reply is one agent's.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				want := make([]string, many)
				for i := range want {
					want[i] = fmt.Sprintf("m%d", i)
					w.TellText(`{"type":"agentNote","messageId":"` + want[i] + `"}`)
				}
				w.awaitTold(60*time.Second, want[many-1])
				got := w.toldIDs()
				for i := range want {
					if i >= len(got) || got[i] != want[i] {
						t.Fatalf("message %d of %d did not reach the runtime in its place; %d came", i, many, len(got))
					}
				}
				if len(got) != many {
					t.Errorf("%d messages reached the runtime, not %d", len(got), many)
				}
			},
		},
		{
			ID: "NT-031", Level: suite.Must, Needs: playsRuntime,
			Title: "A message of 20 MiB of the runtime reaches the server",
			Why:   "A snapshot of a workspace is one message; a connection that breaks at a size breaks at each attempt.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				from := w.Now()
				w.steer(func(ctx context.Context) error { return w.rt.Count(ctx, 0, 1, large, 0) })
				w.marker(45 * time.Second)
				came := w.Heard(from, suite.OfType("numbered"))
				if len(came) != 1 {
					t.Fatalf("it came %d times before what the runtime said next", len(came))
				}
				if n := len(came[0].Message().Text("pad")); n != large {
					t.Errorf("it came with %d of its %d bytes", n, large)
				}
				if n := w.noted(runtime.Opened); n != 1 {
					t.Errorf("it took %d connections to the runtime", n)
				}
			},
		},
		{
			ID: "NT-032", Level: suite.Must, Needs: playsRuntime,
			Title: "A message of 20 MiB reaches the runtime",
			Why:   "A snapshot of a workspace is one message; a connection that breaks at a size breaks at each attempt.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				before := len(w.Connections())
				w.Tell(suite.Message{"type": "snapshotArchiveImport", "messageId": "large", "archiveData": text(large)})
				w.Tell(suite.Message{"type": "agentNote", "messageId": "next"})
				w.awaitTold(45*time.Second, "next")
				t.Equal("what the runtime was told", w.toldIDs(), []string{"large", "next"})
				for _, e := range w.journal(func(e runtime.Entry) bool { return e.MessageID == "large" }) {
					if e.Bytes < large {
						t.Errorf("it came with %d of its more than %d bytes", e.Bytes, large)
					}
				}
				if n := len(w.Connections()) - before + w.noted(runtime.Opened); n != 1 {
					t.Errorf("connections were made anew")
				}
			},
		},
		{
			ID: "NT-033", Level: suite.Must, Needs: playsRuntime, NodeSDK: "its queue has no bound",
			Title: "What no longer fits while the runtime is away is refused, and what was taken arrives",
			Why:   "A queue without a bound takes the machine's memory; one that drops in silence loses prompts that were acknowledged.",
			Limit: 150 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				from := w.Now()
				w.steer(w.rt.Leave)
				w.degraded(from)
				var taken []string
				refused := false
				const tries = 400
				for i := 0; i < tries && !refused; i++ {
					id := fmt.Sprintf("q%d", i)
					if suite.Problem(w.Ask(agentStart(prompt(id, 1<<20)))) != "" {
						refused = true
					} else {
						taken = append(taken, id)
					}
				}
				if !refused {
					t.Errorf("the provider took %d prompts of 1 MiB for a runtime that is away and refused none", tries)
				}
				if got := resident(w.Env); got > memoryLimit {
					t.Errorf("it has %d MiB", got>>20)
				}
				if len(taken) == 0 {
					t.Fatalf("not one prompt was taken while the runtime was away")
				}
				w.steer(w.rt.Return)
				// What is taken now comes after all that waited.
				t.Eventually(60*time.Second, "a prompt is taken again", func() bool {
					return suite.Problem(w.Ask(agentStart(prompt("end", 10)))) == ""
				})
				w.awaitTold(60*time.Second, "end")
				t.Equal("what the runtime was told", w.toldIDs(), append(taken, "end"))
			},
		},
		{
			ID: "NT-034", Level: suite.Must, Needs: append([]suite.Capability{"providerReadFile"}, playsRuntime...),
			Title: "While the runtime reads nothing, file requests are answered",
			Why:   "A runtime that hangs must not take the files of its environment away from the user who wants to see why.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				w := openPlay(t)
				w.steer(func(ctx context.Context) error { return w.rt.Hold(ctx, faultproxy.Up) })
				defer w.steer(func(ctx context.Context) error { return w.rt.Release(ctx, faultproxy.Up) })
				note, err := json.Marshal(suite.Message{"type": "agentNote", "pad": text(1 << 20)})
				t.Try(err)
				for range 100 {
					w.TellText(string(note))
				}
				for range 5 {
					alive(t, w.Env)
				}
			},
		},
	}
}
