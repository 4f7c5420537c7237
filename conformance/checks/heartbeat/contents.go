package heartbeat

import (
	"regexp"
	"slices"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

var isoTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// stamped notes a failure unless the message's timestamp is the present.
func stamped(t *suite.T, m suite.Message) {
	text := m.Text("timestamp")
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case !isoTime.MatchString(text) || err != nil:
		t.Errorf("the timestamp of %s is %v; it should be a time in ISO 8601", m.Type(), m["timestamp"])
	case time.Since(at).Abs() > 10*time.Minute:
		t.Errorf("the timestamp of %s is %s, which is not the present", m.Type(), text)
	}
}

// settled is the first beat of a sort that comes after a start was answered.
func settled(e *suite.Env, match func(suite.Message) bool, d time.Duration) suite.Message {
	return e.Await(e.Now(), d, "a heartbeat", match)
}

func contents() []suite.Check {
	return []suite.Check{
		{
			ID: "HB-007", Level: suite.Must, NodeSDK: nodeNoIDs,
			Title: "Heartbeats carry the ids that the server gave",
			Why:   "The server cannot tell whose heartbeat it is, and ends the provider as dead.",
			Run: func(t *suite.T) {
				const id = "provider-of-this-check"
				e := t.Open(suite.Spec{Start: map[string]any{"providerId": id}})
				from := e.Now()
				beat := e.Await(from, providerGap, "a providerHeartbeat", ofProvider)
				t.Equal("the providerId of providerHeartbeat", beat["providerId"], id)
				t.Equal("connectedEnvironments", beat["connectedEnvironments"], []string{e.ID()})
				alive := e.Await(from, environmentGap, "an environmentHeartbeat", ofEnvironment)
				t.Equal("the providerId of environmentHeartbeat", alive["providerId"], id)
				t.Equal("the environmentId of environmentHeartbeat", alive["environmentId"], e.ID())
			},
		},
		{
			ID: "HB-008", Level: suite.Must,
			Title: "A providerHeartbeat has the documented members, of the documented types",
			Why:   "The server stores them under a schema; what does not fit is dropped as a heartbeat that never came.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				beat := settled(e, ofProvider, providerGap)
				stamped(t, beat)
				if status := beat.Text("status"); !slices.Contains([]string{"healthy", "degraded", "error"}, status) {
					t.Errorf("the status is %v; it should be healthy, degraded or error", beat["status"])
				}
				if beat.Text("providerId") == "" || beat.Text("requestId") == "" {
					t.Errorf("providerId and requestId should be strings that are not empty: %s", beat)
				}
				if uptime, ok := beat["uptime"].(float64); !ok || uptime < 0 || uptime != float64(int64(uptime)) || uptime > 600 {
					t.Errorf("uptime is %v; it should be the whole seconds since the start", beat["uptime"])
				}
				connected, ok := beat["connectedEnvironments"].([]any)
				if !ok || len(connected) != 1 {
					t.Errorf("connectedEnvironments is %v; it should be a list of one id", beat["connectedEnvironments"])
				}
				metadata := beat.Object("metadata")
				if transport := metadata.Text("transport"); transport != "websocket" && transport != "custom" {
					t.Errorf("metadata.transport is %v; it should be websocket or custom", metadata["transport"])
				}
				t.Equal("metadata.initialized", metadata["initialized"], true)
				if beat.Has("type") && beat.Has("action") || beat.Has("message") {
					t.Errorf("a heartbeat is flat, without action and message: %s", beat)
				}
			},
		},
		{
			ID: "HB-009", Level: suite.Must, NodeSDK: nodeNoAlive,
			Title: "An environmentHeartbeat has the documented members, and says that the environment is alive",
			Why:   "Without environmentAlive the server learns that somebody beats, and nothing about the environment.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				beat := settled(e, ofEnvironment, environmentGap)
				stamped(t, beat)
				t.Equal("environmentAlive", beat["environmentAlive"], true)
				for _, member := range []string{"environmentId", "providerId", "requestId"} {
					if beat.Text(member) == "" {
						t.Errorf("%s is %v; it should be a string that is not empty", member, beat[member])
					}
				}
			},
		},
		{
			ID: "HB-010", Level: suite.Must, When: suite.Waiting,
			Title: "uptime counts the seconds since the start",
			Why:   "An uptime that stands still or begins anew looks like a provider that crashes all the time.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				from := e.Now()
				e.Await(from, providerGap, "a providerHeartbeat", ofProvider)
				first := e.Heard(from, ofProvider)[0]
				second := first
				// One that comes sooner, because the status changed, says too little.
				for second.Time.Sub(first.Time) < 8*time.Second {
					e.Await(second.Number+1, providerGap, "another providerHeartbeat", ofProvider)
					second = e.Heard(second.Number+1, ofProvider)[0]
				}
				a, _ := first.Message()["uptime"].(float64)
				b, _ := second.Message()["uptime"].(float64)
				passed := second.Time.Sub(first.Time).Seconds()
				if grown := b - a; grown < passed-5 || grown > passed+5 {
					t.Errorf("uptime went from %v to %v while %.0f s passed", first.Message()["uptime"], second.Message()["uptime"], passed)
				}
			},
		},
	}
}
