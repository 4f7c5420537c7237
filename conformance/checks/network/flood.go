package network

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

// memoryLimit is what a provider may take while more than that waits for a peer
// that does not read.
const memoryLimit = 768 << 20

// resident is how much memory the provider's process has, in bytes; 0 where that
// cannot be seen.
func resident(e *suite.Env) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.PID()))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kib, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

// counts counts the answers of a provider by their ids, also those that the log
// of frames has no room for.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

// countAnswers must be called before the first environment is made.
func countAnswers(t *suite.T) *counts {
	c := &counts{of: map[string]int{}}
	t.Options(func(o *server.Options) {
		before := o.OnFrame
		o.OnFrame = func(f server.Frame) {
			before(f)
			if f.Direction != server.In {
				return
			}
			var head struct {
				Action    string `json:"action"`
				RequestID string `json:"requestId"`
			}
			if json.Unmarshal(f.Data, &head) == nil && head.Action == "providerReadFileResponse" {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.of[head.RequestID]++
			}
		}
	})
	return c
}

func (c *counts) has(requestID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[requestID] > 0
}

func flood() []suite.Check {
	return []suite.Check{{
		ID: "NT-013", Level: suite.Must, Needs: []suite.Capability{"providerWriteFile", "providerReadFile"},
		Title:   "While the server reads nothing for 60 s a provider's memory stays bounded, and then every request has one answer",
		Why:     "A provider that keeps all answers in memory takes the whole machine down with it; one that drops them leaves its callers waiting.",
		NodeSDK: "its socket library keeps in memory whatever is sent",
		Limit:   240 * time.Second,
		Run: func(t *suite.T) {
			seen := countAnswers(t)
			e, proxy := openBehind(t, suite.Spec{})
			write(t, e, "large.txt", text(1<<20))
			proxy.Hold(faultproxy.Up)
			const rounds, each = 12, 100
			peak := int64(0)
			for round := 0; round < rounds && peak <= memoryLimit; round++ { // it asks on, so that the connection lives
				for i := range each {
					e.Tell(suite.Message{"type": "providerReadFile", "requestId": fmt.Sprintf("f%d", round*each+i), "path": "large.txt"})
				}
				t.Within(5*time.Second, func() bool {
					peak = max(peak, resident(e))
					return peak > memoryLimit
				})
			}
			t.Logf("the provider had at most %d MiB", peak>>20)
			if peak > memoryLimit {
				t.Fatalf("the provider had %d MiB while up to %d MiB waited for a server that did not read; at most %d MiB are bounded", peak>>20, rounds*each, memoryLimit>>20)
			}
			proxy.Release(faultproxy.Up)
			// Answers of one action come in the order of their requests.
			e.Tell(suite.Message{"type": "providerReadFile", "requestId": "behind all", "path": "README.md"})
			t.Within(90*time.Second, func() bool { return seen.has("behind all") })
			alive(t, e)
			seen.mu.Lock()
			defer seen.mu.Unlock()
			missing, twice := 0, 0
			for i := range rounds * each {
				switch n := seen.of[fmt.Sprintf("f%d", i)]; {
				case n == 0:
					missing++
				case n > 1:
					twice++
				}
			}
			if missing > 0 || twice > 0 {
				t.Errorf("of %d requests %d were never answered and %d more than once", rounds*each, missing, twice)
			}
		},
	}}
}
