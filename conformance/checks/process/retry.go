package process

import (
	"slices"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Bounds of what is waited between attempts to connect.
const (
	firstRetry = 3 * time.Second  // one second, and as much as a busy machine takes
	longestGap = 34 * time.Second // thirty seconds, likewise
)

// away launches a provider whose server drops every connection.
func away(t *suite.T) *tap {
	p := newTap(t)
	p.drop(true)
	launching(t, t.Env(suite.Spec{Env: p.env()}))
	t.Eventually(suite.AnswerLimit, "the provider tried to connect", func() bool { return len(p.seen()) > 0 })
	return p
}

func retrying() []suite.Check {
	return []suite.Check{
		{
			ID: "PR-011", Level: suite.Must, NodeSDK: nodeNoReconnect, Limit: 90 * time.Second,
			Title: "A provider that finds no server connects when there is one",
			Why:   "A server that starts its providers before it listens, or again after a restart, is left without them.",
			Run: func(t *suite.T) {
				p := newTap(t)
				p.absent()
				e := t.Env(suite.Spec{Env: p.env()})
				launched := launching(t, e)
				if launched.within(2 * time.Second) {
					t.Fatalf("the process did not wait for the server: %v", launched.err)
				}
				p.again()
				if err := launched.connects(longestGap); err != nil {
					t.Fatalf("the provider did not connect to the server that appeared: %v", err)
				}
				answers(t, e, e.PID())
			},
		},
		{
			ID: "PR-012", Level: suite.Must, NodeSDK: nodeNoReconnect,
			Title: "The first retry follows within a second",
			Why:   "Most absences are short, and a person waits meanwhile.",
			Run: func(t *suite.T) {
				p := away(t)
				if !t.Within(2*firstRetry, func() bool { return len(p.gaps()) > 0 }) {
					t.Fatalf("within %v there was no second attempt", 2*firstRetry)
				}
				if gap := p.gaps()[0]; gap > firstRetry {
					t.Errorf("the second attempt came %v after the first", gap)
				}
			},
		},
		{
			ID: "PR-013", Level: suite.Must, When: suite.Waiting, NodeSDK: nodeNoReconnect,
			Title: "The waits between retries grow",
			Why:   "Hundreds of providers that retry without a pause keep a server from coming up again.",
			Run: func(t *suite.T) {
				p := away(t)
				t.Rest(18 * time.Second)
				gaps := p.gaps()
				if len(gaps) < 3 || len(gaps) > 24 {
					t.Fatalf("in 18 s there were %d retries: %v", len(gaps), gaps)
				}
				if most := slices.Max(gaps); most < 2*time.Second || most < gaps[0]*3/2 {
					t.Errorf("the waits between retries do not grow: %v", gaps)
				}
			},
		},
		{
			ID: "PR-014", Level: suite.Must, When: suite.Waiting, NodeSDK: nodeNoReconnect, Limit: 3 * time.Minute,
			Title: "No wait between retries is longer than thirty seconds",
			Why:   "A server that is back stays without its environments for as long as they wait.",
			Run: func(t *suite.T) {
				p := away(t)
				for until := time.Now().Add(100 * time.Second); time.Now().Before(until); {
					n := len(p.seen())
					if !t.Within(longestGap, func() bool { return len(p.seen()) > n }) {
						t.Fatalf("after %d attempts there was none for %v; the waits before were %v", n, longestGap, p.gaps())
					}
				}
			},
		},
		{
			ID: "PR-015", Level: suite.Must, When: suite.Waiting, NodeSDK: nodeNoReconnect,
			Title: "Providers do not retry in step with each other",
			Why:   "After a server's restart all its providers would come in the same instant, again and again.",
			Run: func(t *suite.T) {
				const waits = 4
				var all [3]*tap
				for i := range all {
					all[i] = away(t)
				}
				var gaps [len(all)][]time.Duration
				for i, p := range all {
					t.Eventually(50*time.Second, "there were four retries", func() bool { return len(p.gaps()) >= waits })
					gaps[i] = p.gaps()[:waits]
				}
				for n := range waits {
					least, most := gaps[0][n], gaps[0][n]
					for _, g := range gaps {
						least, most = min(least, g[n]), max(most, g[n])
					}
					if most-least > most/20 {
						return
					}
				}
				t.Errorf("three processes waited for the same times between their attempts: %v", gaps)
			},
		},
	}
}
