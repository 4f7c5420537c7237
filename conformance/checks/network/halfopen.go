package network

import (
	"fmt"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

func halfOpen() []suite.Check {
	reads := []suite.Capability{"providerReadFile"}
	vanished := func(id, title string, lost faultproxy.Direction) suite.Check {
		return suite.Check{
			ID: id, Level: suite.Must, When: suite.Waiting, Needs: reads, NodeSDK: noReconnect,
			Title: title,
			Why:   "A server that vanished without a goodbye, or a middlebox that forgot the connection, otherwise leaves the environment unreachable for ever.",
			Limit: 150 * time.Second,
			Run: func(t *suite.T) {
				e, proxy := openBehind(t, suite.Spec{})
				alive(t, e)
				before := len(e.Connections())
				proxy.Swallow(lost)
				reconnected(t, e, before, 100*time.Second)
				alive(t, e)
			},
		}
	}
	return []suite.Check{
		vanished("NT-008", "A connection on which nothing more comes is noticed within 90 s and replaced", faultproxy.Down),
		vanished("NT-009", "A connection on which nothing more goes out is noticed within 90 s and replaced", faultproxy.Up),
		{
			ID: "NT-010", Level: suite.Must, When: suite.Waiting, Needs: reads,
			Title:   "A line that carries nothing for 39 s loses, doubles and reorders no answer",
			Why:     "Wireless networks and sleeping laptops make such pauses; TCP outlives them, and so must what is above it.",
			Limit:   120 * time.Second,
			NodeSDK: "it makes up ids of its own, so that answers cannot be told apart",
			Run: func(t *suite.T) {
				e, proxy := openBehind(t, suite.Spec{})
				from := e.Now()
				const requests = 40
				ask := func(i int) {
					e.Tell(suite.Message{"type": "providerReadFile", "requestId": fmt.Sprintf("h%d", i), "path": "README.md"})
				}
				for i := range requests / 4 {
					ask(i)
				}
				proxy.Hold(faultproxy.Both)
				for i := range requests / 2 {
					ask(requests/4 + i)
					if i%5 == 4 {
						t.Rest(39 * time.Second / 4)
					}
				}
				proxy.Release(faultproxy.Both)
				for i := requests * 3 / 4; i < requests; i++ {
					ask(i)
				}
				e.Await(from, reconnectLimit, "the last of the answers", suite.Answering(fmt.Sprintf("h%d", requests-1)))
				inOrder(t, e, from, "h", requests)
			},
		},
	}
}

// inOrder notes a failure unless the answers to requests with numbered ids came
// once each and in their order.
func inOrder(t *suite.T, e *suite.Env, from int, prefix string, count int) {
	var got, want []string
	for i := range count {
		want = append(want, fmt.Sprint(prefix, i))
	}
	for _, f := range e.Heard(from, func(m suite.Message) bool { return m.Text("action") == "providerReadFileResponse" }) {
		got = append(got, f.Message().Text("requestId"))
	}
	t.Equal("the order of the answers", got, want)
}
