package heartbeat

import (
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// steady notes a failure unless beats of a sort come without a gap over the
// limit, and not too many, for as long as periods are watched.
func steady(t *suite.T, e *suite.Env, what string, gap time.Duration, match func(suite.Message) bool) {
	from, n := e.Now(), 0
	for until := time.Now().Add(watchedFor); time.Now().Before(until); n++ {
		e.Await(from, gap, what, match)
		heard := e.Heard(from, match)
		from = heard[0].Number + 1
	}
	if n > mostBeats {
		t.Errorf("in %v there were %d of %s", watchedFor, n, what)
	}
}

func beats() []suite.Check {
	return []suite.Check{
		{
			ID: "HB-001", Level: suite.Must,
			Title: "The first providerHeartbeat comes at once with the start",
			Why:   "The server shows the environment as unknown until then, or counts it as missed.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				from := e.Now()
				e.Start()
				e.Await(from, atOnce, "a providerHeartbeat", ofProvider)
			},
		},
		{
			ID: "HB-002", Level: suite.Must, When: suite.Waiting, Limit: 2 * time.Minute,
			Title: "A providerHeartbeat comes every ten seconds",
			Why:   "A server that misses a few ends the provider; one that gets many from hundreds of providers has no time for else.",
			Run: func(t *suite.T) {
				steady(t, t.Open(suite.Spec{}), "a providerHeartbeat", providerGap, ofProvider)
			},
		},
		{
			ID: "HB-003", Level: suite.Must, When: suite.Waiting, Limit: 2 * time.Minute,
			Title: "An environmentHeartbeat comes every fifteen seconds",
			Why:   "The server tells by it which of its environments live.",
			Run: func(t *suite.T) {
				steady(t, t.Open(suite.Spec{}), "an environmentHeartbeat", environmentGap, ofEnvironment)
			},
		},
		{
			ID: "HB-004", Level: suite.Must, When: suite.Waiting,
			Title: "Before a start there are no heartbeats",
			Why:   "The server would take an environment for running that was never made.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				from := e.Now()
				e.Launch()
				e.Never(from, providerGap, "a heartbeat before any start", either)
			},
		},
		{
			ID: "HB-005", Level: suite.Must, When: suite.Waiting, Needs: []suite.Capability{"providerStop"},
			NodeSDK: "it goes on beating after a stop",
			Title:   "After the answer to providerStop there are no heartbeats",
			Why:     "The environment would come back to life in the server's list.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				from := e.Now()
				e.Await(from, providerGap, "a providerHeartbeat", ofProvider)
				e.Stop("")
				stopped := e.Heard(from, func(m suite.Message) bool { return m.Text("action") == "providerStopResponse" })
				if len(stopped) == 0 {
					t.Fatalf("providerStop was not answered by providerStopResponse")
				}
				// The process may exit by itself, which ends the wait no sooner.
				e.Never(stopped[0].Number, environmentGap, "a heartbeat after the stop", either)
			},
		},
		{
			ID: "HB-006", Level: suite.Must, NodeSDK: nodeNoReconnect, Limit: 90 * time.Second,
			Title: "After a reconnect the heartbeats go on with the same ids",
			Why:   "The server would end a provider that is connected and works.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				first := e.Await(1, providerGap, "a providerHeartbeat", ofProvider)
				n, from := len(e.Connections()), e.Now()
				e.Disconnect()
				t.Eventually(35*time.Second, "the provider connected again", func() bool { return len(e.Connections()) > n })
				beat := e.Await(from, providerGap, "a providerHeartbeat on the new connection", ofProvider)
				t.Equal("the providerId after the reconnect", beat["providerId"], first["providerId"])
				t.Equal("connectedEnvironments after the reconnect", beat["connectedEnvironments"], []string{e.ID()})
				alive := e.Await(from, environmentGap, "an environmentHeartbeat on the new connection", ofEnvironment)
				t.Equal("the environmentId after the reconnect", alive["environmentId"], e.ID())
			},
		},
	}
}
