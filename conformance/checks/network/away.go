package network

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

// door is a server's that can be shut.
type door struct {
	shut    atomic.Bool
	knocked atomic.Int64 // while it was shut
}

// doorOf must be called before the first environment is made.
func doorOf(t *suite.T) *door {
	d := &door{}
	t.Options(func(o *server.Options) {
		o.Admit = func(*server.Environment, *http.Request) int {
			if !d.shut.Load() {
				return 0
			}
			d.knocked.Add(1)
			return http.StatusServiceUnavailable
		}
	})
	return d
}

// leave takes the server away and waits until the provider knows.
func (d *door) leave(t *suite.T, e *suite.Env) {
	before := d.knocked.Load()
	d.shut.Store(true)
	e.Disconnect()
	t.Eventually(reconnectLimit, "the provider tries to connect again", func() bool { return d.knocked.Load() > before })
}

func away() []suite.Check {
	return []suite.Check{
		{
			ID: "NT-011", Level: suite.Must, Needs: playsRuntime, NodeSDK: noReconnect,
			Title: "What the runtime says while the server is away arrives when it is back, once and in order",
			Why:   "An agent goes on while the server restarts; what it asked or reported then is otherwise lost and it waits for ever.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				d := doorOf(t)
				w := openPlay(t)
				from, before := w.Now(), len(w.Connections())
				d.leave(t, w.Env)
				const count = 1000
				w.steer(func(ctx context.Context) error { return w.rt.Count(ctx, 0, count, 100, 0) })
				d.shut.Store(false)
				reconnected(t, w.Env, before, reconnectLimit)
				w.marker(reconnectLimit)
				whole(t, "the runtime's messages", w.numbered(from), 0, count)
			},
		},
		{
			ID: "NT-012", Level: suite.Must, Needs: playsRuntime, NodeSDK: noReconnect,
			Title: "Over 20 breaks of the server's connection the runtime's messages stay in order and come at most once",
			Why:   "A step of an agent that comes twice is taken twice.",
			Limit: 120 * time.Second,
			Run: func(t *suite.T) {
				config, rt := agentServer(t)
				e, proxy := openBehind(t, suite.Spec{Config: config})
				w := &world{Env: e, t: t, rt: rt, dir: rt.Dir}
				from := e.Now()
				const count = 1_000_000 // it is stopped before
				var counting sync.WaitGroup
				defer counting.Wait()
				stop, cancel := context.WithCancel(t.Context())
				defer cancel()
				counting.Go(func() { _ = rt.Count(stop, 0, count, 200, 3*time.Millisecond) }) // see above
				for i := 0; i < 20 && !t.Failed(); i++ {
					before := len(e.Connections())
					proxy.CutAfter(faultproxy.Up, int64(1000+777*i), []faultproxy.End{faultproxy.Reset, faultproxy.Orderly}[i%2])
					reconnected(t, e, before, reconnectLimit)
					t.Rest(uptime)
					rising(t, "the runtime's messages", w.numbered(from))
				}
				cancel()
				counting.Wait()
				w.marker(reconnectLimit)
				got := w.numbered(from)
				if !t.Failed() {
					rising(t, "the runtime's messages", got)
				}
				if len(got) < 100 && !t.Failed() {
					t.Errorf("only %d messages came over 20 breaks", len(got))
				}
			},
		},
	}
}
