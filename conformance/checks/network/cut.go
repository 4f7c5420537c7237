package network

import (
	"fmt"
	"os"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

func cut() []suite.Check {
	writes := []suite.Capability{"providerWriteFile", "providerReadFile"}
	return []suite.Check{
		{
			ID: "NT-003", Level: suite.Must, Needs: writes, NodeSDK: noReconnect,
			Title: "After a reset of its connection a provider connects again and is asked as before",
			Why:   "Without that every break of a network ends an environment for its user.",
			Run: func(t *suite.T) {
				e, proxy := openBehind(t, suite.Spec{})
				before := len(e.Connections())
				proxy.Cut(faultproxy.Reset)
				reconnected(t, e, before, reconnectLimit)
				alive(t, e)
			},
		},
		{
			ID: "NT-004", Level: suite.Must, Needs: writes, NodeSDK: noReconnect,
			Title: "A request of which only a part arrived is not carried out, and its repetition is",
			Why:   "Half a file in place of a file is damage that nobody notices.",
			Run: func(t *suite.T) {
				e, proxy := openBehind(t, suite.Spec{})
				request := suite.Message{"type": "providerWriteFile", "requestId": "part", "path": "part.txt", "content": text(256 << 10)}
				before, from := len(e.Connections()), e.Now()
				proxy.CutAfter(faultproxy.Down, 128<<10, faultproxy.Reset)
				e.Tell(request)
				reconnected(t, e, before, reconnectLimit)
				e.Refused(suite.Message{"type": "providerReadFile", "path": "part.txt"}, "not_found")
				if n := len(answers(e, from, "part")); n != 0 {
					t.Errorf("the provider answered a request that never arrived %d times", n)
				}
				request["requestId"] = "whole"
				result(t, e, request)
				got := result(t, e, suite.Message{"type": "providerReadFile", "path": "part.txt"})
				t.Equal("the content after the repetition", got, request["content"])
			},
		},
		{
			ID: "NT-005", Level: suite.Must, Needs: writes, NodeSDK: noReconnect,
			Title: "A request whose answer is lost with the connection is carried out and answered at most once",
			Why:   "A write that is carried out again later undoes what came in between.",
			Run: func(t *suite.T) {
				e, proxy := openBehind(t, suite.Spec{})
				write(t, e, "once.txt", "at first")
				for round := range 3 {
					id, before, from := fmt.Sprintf("lost%d", round), len(e.Connections()), e.Now()
					proxy.CutAfter(faultproxy.Up, 1, faultproxy.Reset) // the answer's first byte, if not a heartbeat's
					e.Tell(suite.Message{"type": "providerWriteFile", "requestId": id, "path": "once.txt", "content": "by " + id})
					reconnected(t, e, before, reconnectLimit)
					write(t, e, "once.txt", "afterwards")
					alive(t, e)
					t.Equal("the file after the reconnect", result(t, e, suite.Message{"type": "providerReadFile", "path": "once.txt"}), "afterwards")
					if n := len(answers(e, from, id)); n > 1 {
						t.Errorf("the request %s was answered %d times", id, n)
					}
				}
			},
		},
		{
			ID: "NT-006", Level: suite.Must, Needs: writes, NodeSDK: noReconnect,
			Title: "An answer that was cut in its middle is sent again, once, on the next connection",
			Why:   "The provider knows that it was not sent; a server that waits for it waits for ever.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				e, proxy := openBehind(t, suite.Spec{})
				content := text(24 << 20)
				write(t, e, "large.txt", content)
				before, from := len(e.Connections()), e.Now()
				proxy.CutAfter(faultproxy.Up, 1<<20, faultproxy.Reset)
				e.Tell(suite.Message{"type": "providerReadFile", "requestId": "middle", "path": "large.txt"})
				reconnected(t, e, before, reconnectLimit)
				answer := e.Await(from, suite.AnswerLimit, "the answer that was cut", suite.Answering("middle"))
				if suite.Problem(answer) == "" && answer.Text("message") != content {
					t.Errorf("the file came with %d bytes and is not the one that was written; it has %d", len(answer.Text("message")), len(content))
				}
				alive(t, e)
				if n := len(answers(e, from, "middle")); n != 1 {
					t.Errorf("the request was answered %d times", n)
				}
			},
		},
		{
			ID: "NT-007", Level: suite.Must, Needs: writes, NodeSDK: noReconnect,
			Title: "After 200 broken connections a provider still answers and holds no more descriptors than before",
			Why:   "On a line that flaps a descriptor lost at each break ends the provider within a day.",
			Limit: 210 * time.Second,
			Run: func(t *suite.T) {
				const flaps, side = 200, 4
				// Several providers flap at once: each may pause up to a second.
				e, proxy := openBehind(t, suite.Spec{})
				all := []*suite.Env{e}
				proxies := []*faultproxy.Proxy{proxy}
				for range side - 1 {
					e, proxy := openBehind(t, suite.Spec{})
					all, proxies = append(all, e), append(proxies, proxy)
				}
				held := make([]int, side)
				for i, e := range all {
					alive(t, e)
					held[i] = descriptors(e)
				}
				begun, leaks := time.Now(), false
				rounds := 0
				for ; rounds < flaps/side && !leaks; rounds++ {
					before := make([]int, side)
					for i, proxy := range proxies {
						before[i] = len(all[i].Connections())
						proxy.Cut([]faultproxy.End{faultproxy.Reset, faultproxy.Orderly}[rounds%2])
					}
					for i, e := range all {
						reconnected(t, e, before[i], 60*time.Second)
						alive(t, e)
						leaks = leaks || held[i] > 0 && descriptors(e) > held[i]+200 // no more are needed to tell
					}
					t.Rest(uptime)
				}
				t.Logf("%d flaps took %v", rounds*side, time.Since(begun))
				settling := 15 * time.Second
				if leaks {
					settling = time.Second
				}
				for i, e := range all {
					if held[i] > 0 && !t.Within(settling, func() bool { return descriptors(e) <= held[i]+4 }) {
						t.Errorf("the provider held %d descriptors before and %d after %d breaks", held[i], descriptors(e), rounds)
						break // the others are the same program
					}
				}
			},
		},
	}
}

// descriptors is how many files and sockets the provider's process has open; 0
// where that cannot be seen.
func descriptors(e *suite.Env) int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", e.PID()))
	if err != nil {
		return 0
	}
	return len(entries)
}
