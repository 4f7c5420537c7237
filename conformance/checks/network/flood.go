package network

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/wire"
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

// countAnswers counts from now on. It goes by what the server has read of each
// frame: more than a GiB of them may come.
func countAnswers(t *suite.T, e *suite.Env) *counts {
	c := &counts{of: map[string]int{}}
	t.Cleanup(e.Subscribe(func(head wire.Header, _ []byte) {
		if head.Action == "providerReadFileResponse" {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.of[string(head.RequestID)]++
		}
	}))
	return c
}

// all is how many requests were answered.
func (c *counts) all() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.of)
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
		Limit:   6 * time.Minute,
		Run: func(t *suite.T) {
			e, proxy := openBehind(t, suite.Spec{})
			seen := countAnswers(t, e)
			write(t, e, "large.txt", text(1<<20))
			proxy.Hold(faultproxy.Up)
			const rounds, each = 12, 75 // MiB: more than the limit, and not so much that it takes long
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
			last, heard := 0, time.Now() // a slow one is not at fault as long as they come
			t.Within(4*time.Minute, func() bool {
				if n := seen.all(); n > last {
					last, heard = n, time.Now()
				}
				return seen.has("behind all") || time.Since(heard) > suite.AnswerLimit
			})
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
