package process

import (
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func unsupported() []suite.Check {
	return []suite.Check{
		{
			ID: "PR-053", Level: suite.Must, NodeSDK: nodeNoAnswer,
			Title: "A known request that the provider does not support is answered with an error that names it",
			Why:   "Silence looks like a provider that hangs, and costs whoever asked the whole timeout.",
			Run: func(t *suite.T) {
				var missing []suite.Capability
				for _, typ := range suite.Requests {
					if !t.Can(typ) {
						missing = append(missing, typ)
					}
				}
				if len(missing) == 0 {
					t.Skipf("the provider supports every request")
				}
				e := t.Open(suite.Spec{})
				pid := e.PID()
				for _, typ := range missing {
					answer := e.Ask(suite.Message{"type": string(typ), "path": "README.md", "environmentId": e.ID()})
					text := suite.Problem(answer)
					if text == "" { // the answers about health have their error in metadata
						text = answer.Object("metadata").Text("error")
					}
					if !strings.Contains(text, string(typ)) {
						t.Errorf("the answer to %s does not say that it is not supported: %s", typ, answer)
					}
				}
				if !slices.Contains(missing, "closeSignal") && e.PID() != pid {
					t.Errorf("the process ended")
				}
			},
		},
		{
			ID: "PR-054", Level: suite.Must,
			Title: "Acknowledgements of heartbeats are taken in silence",
			Why:   "An answer to each would be one message more every ten seconds from every provider; passed on, it reaches the agents.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				pid, from := e.PID(), e.Now()
				for _, typ := range []string{"providerHeartbeatResponse", "providerHeartbeatAck"} {
					e.Tell(suite.Message{"type": typ, "providerId": "p", "received": true, "timestamp": "2026-01-02T03:04:05.678Z", "requestId": "ack-" + typ})
					e.Tell(suite.Message{"type": typ, "requestId": "ack-bare-" + typ})
				}
				answers(t, e, pid)
				e.Never(from, 2*time.Second, "something about an acknowledgement", func(m suite.Message) bool {
					return strings.HasPrefix(m.Text("requestId"), "ack-") || strings.Contains(m.String(), "HeartbeatAck") || strings.Contains(m.String(), "providerHeartbeatResponse")
				})
			},
		},
	}
}
