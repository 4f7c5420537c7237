package heartbeat

import (
	"os"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// status matches providerHeartbeats by whether they report health.
func status(healthy bool) func(suite.Message) bool {
	return func(m suite.Message) bool { return ofProvider(m) && (m.Text("status") == "healthy") == healthy }
}

// alive matches environmentHeartbeats by what they say.
func alive(yes bool) func(suite.Message) bool {
	return func(m suite.Message) bool { return ofEnvironment(m) && m["environmentAlive"] == yes }
}

// follows takes the workspace's directory away and gives it back, and waits for
// heartbeats that say so.
func follows(t *suite.T, match func(good bool) func(suite.Message) bool, what string) {
	e := t.Open(suite.Spec{})
	e.Await(1, statusLimit, what+" that all is well", match(true))
	away := e.Workspace() + ".away"
	back := func() { _ = os.Rename(away, e.Workspace()) } // a second time there is nothing to do
	t.Try(os.Rename(e.Workspace(), away))
	t.Cleanup(back)
	from := e.Now()
	e.Await(from, statusLimit, what+" that the workspace is gone", match(false))
	from = e.Now()
	back()
	e.Await(from, statusLimit, what+" that the workspace is back", match(true))
}

func faults() []suite.Check {
	return []suite.Check{
		{
			ID: "HB-011", Level: suite.Must, Needs: []suite.Capability{suite.Local}, Limit: 3 * time.Minute,
			Title: "The status leaves healthy when the workspace disappears, and is healthy again when it is back",
			Why:   "A person sees a healthy environment in which nothing works.",
			Run: func(t *suite.T) {
				follows(t, status, "a providerHeartbeat")
			},
		},
		{
			ID: "HB-012", Level: suite.Must, Needs: []suite.Capability{suite.Local}, NodeSDK: nodeNoAlive, Limit: 3 * time.Minute,
			Title: "environmentAlive is false while the workspace is gone, and true when it is back",
			Why:   "The server sends agents into an environment that is not there.",
			Run: func(t *suite.T) {
				follows(t, alive, "an environmentHeartbeat")
			},
		},
		{
			ID: "HB-013", Level: suite.Must, Needs: []suite.Capability{suite.Runtime}, Limit: 3 * time.Minute,
			Title: "The status leaves healthy when the runtime dies, and is healthy again when it is back",
			Why:   "Agents that are started meanwhile vanish, while all seems well.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				before := map[int]bool{}
				for _, p := range t.Processes() {
					before[p.PID] = true
				}
				if len(before) == 0 {
					t.Skipf("processes cannot be looked at on this system")
				}
				e.Start()
				e.Await(1, statusLimit, "a providerHeartbeat that all is well", status(true))
				killed := 0
				from := e.Now()
				for _, p := range t.Processes() {
					if before[p.PID] {
						continue
					}
					process, err := os.FindProcess(p.PID)
					t.Try(err)
					t.Logf("kill %s", p.Command)
					if process.Kill() == nil {
						killed++
					}
				}
				if killed == 0 {
					t.Skipf("the runtime is not on this machine")
				}
				e.Await(from, statusLimit, "a providerHeartbeat that the runtime is gone", status(false))
				e.Await(from, statusLimit, "a providerHeartbeat that all is well again", status(true))
			},
		},
	}
}
