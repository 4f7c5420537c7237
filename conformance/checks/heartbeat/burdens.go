package heartbeat

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// busyFor is for how long a provider is kept busy.
const busyFor = 27 * time.Second

func burdens() []suite.Check {
	return []suite.Check{
		{
			ID: "HB-014", Level: suite.Must, Needs: []suite.Capability{"providerReadFile", "providerWriteFile"}, Limit: 2 * time.Minute,
			Title: "The heartbeats go on while the provider is busy",
			Why:   "The server would kill a provider in the middle of a large transfer, for being dead.",
			Run: func(t *suite.T) {
				var (
					mu    sync.Mutex
					times []time.Time
				)
				// The answers are too many for the record of frames.
				t.Options(func(o *server.Options) {
					record := o.OnFrame
					o.OnFrame = func(f server.Frame) {
						record(f)
						var m suite.Message
						if f.Direction == server.In && len(f.Data) < 4<<10 && json.Unmarshal(f.Data, &m) == nil && ofProvider(m) {
							mu.Lock()
							defer mu.Unlock()
							times = append(times, f.Time)
						}
					}
				})
				e := t.Open(suite.Spec{})
				e.Result(suite.Message{"type": "providerWriteFile", "path": "big.txt", "content": strings.Repeat("0123456789abcde\n", 32<<10)})
				begun := time.Now()
				var working sync.WaitGroup
				problem := make(chan error, 1)
				for range 3 {
					working.Go(func() {
						for time.Since(begun) < busyFor {
							ctx, cancel := context.WithTimeout(t.Context(), suite.AnswerLimit)
							_, err := e.Call(ctx, map[string]any{"type": "providerReadFile", "path": "big.txt"})
							cancel()
							if err != nil {
								select {
								case problem <- err:
								default:
								}
								return
							}
							t.Within(30*time.Millisecond, func() bool { return false }) // leave something to other checks
						}
					})
				}
				working.Wait()
				select {
				case err := <-problem:
					t.Fatalf("a read failed: %v", err)
				default:
				}
				mu.Lock()
				defer mu.Unlock()
				last, most := begun, time.Duration(0)
				for _, at := range append(times, time.Now()) {
					if at.After(begun) {
						last, most = at, max(most, at.Sub(last))
					}
				}
				if most > providerGap {
					t.Errorf("while the provider was busy there was no providerHeartbeat for %v", most.Round(time.Second))
				}
			},
		},
		{
			ID: "HB-015", Level: suite.Must, Needs: []suite.Capability{suite.RuntimeCommand}, Limit: 90 * time.Second,
			NodeSDK: "it begins to beat when the start is over",
			Title:   "The heartbeats go on during a start that takes long",
			Why:     "To fetch an image takes minutes; the server would kill the provider before it can answer.",
			Run: func(t *suite.T) {
				const startup = 24 * time.Second
				e := t.Env(suite.Spec{Config: map[string]any{
					"runtime":  map[string]any{"command": []string{"/bin/sleep", "60"}}, // a runtime that never listens
					"timeouts": map[string]any{"agentServerStartup": startup.Milliseconds()},
				}})
				e.Launch()
				from := e.Now()
				e.Tell(e.StartMessage().With(suite.Message{"requestId": "long-start"}))
				e.Await(from, atOnce+providerGap, "a providerHeartbeat during the start", ofProvider)
				second := e.Heard(from, ofProvider)[0].Number + 1
				e.Await(second, providerGap, "another providerHeartbeat during the start", ofProvider)
				answer := e.Await(from, startup+suite.AnswerLimit, "the answer to providerStart", suite.Answering("long-start"))
				if suite.Problem(answer) == "" {
					t.Skipf("the start did not wait for the runtime")
				}
				var during int
				ended := e.Heard(from, suite.Answering("long-start"))[0].Number
				for _, f := range e.Heard(from, ofProvider) {
					if f.Number < ended {
						during++
					}
				}
				if during < 2 {
					t.Errorf("before the start was over there were %d heartbeats: %s", during, answer)
				}
			},
		},
	}
}
