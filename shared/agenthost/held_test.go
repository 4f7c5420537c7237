//go:build linux

package agenthost_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/agenthost"
	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// A provider whose server reads slowly holds what agents say. Its file calls and
// its stops go on.
func TestAFloodThatIsHeldStopsTheAgentAndNothingElse(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	want := strings.Repeat("x", 10<<20) // more than the outbox has room for beside others
	if err := os.WriteFile(filepath.Join(r.workspace, "big"), []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, heard: make(chan heard, 100_000)}
	var (
		mu    sync.Mutex
		held  []link.Message
		bytes int
		letGo bool
	)
	var err error
	p.Client, err = runtime.Connect(t.Context(), runtime.ClientOptions{
		Dial: r.dial, Token: token, Resume: true,
		OnMessage: func(head wire.Header, m link.Message) {
			mu.Lock()
			defer mu.Unlock()
			m.Hold()
			if bytes += len(m.Data); letGo {
				m.Release()
			} else {
				held = append(held, m)
			}
			p.heard <- heard{head, m.Data}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.leave)
	p.prompt("a", sh(`exec yes "as fast as it goes"`))
	came := func() int {
		mu.Lock()
		defer mu.Unlock()
		return bytes
	}
	before := -1
	for now := 0; now != before || now < 1<<20; now = came() { // until it has come to a halt: a busy machine may pause before
		before = now
		time.Sleep(200 * time.Millisecond)
	}
	if n := came(); n > 5<<20 {
		t.Errorf("%d KiB came although nothing was confirmed", n>>10)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	begun := time.Now()
	if got, err := p.FS(r.workspace).ReadFile(ctx, "big", 100<<20); err != nil || string(got) != want {
		t.Errorf("read %d bytes: %v", len(got), err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("reading a file during the flood took %v", took)
	}
	p.send(wire.StopProcess{Header: wire.Header{Type: wire.TypeStopProcess}, AgentID: "a"})
	mu.Lock()
	letGo = true
	for _, m := range held {
		m.Release()
	}
	mu.Unlock()
	s := p.follow("a", nil)
	if s.end.Signal == "" || s.dropped != 0 || s.end.StdoutBytes != int64(len(s.stdout)) {
		t.Errorf("%d bytes, %d dropped, and the end: %+v", len(s.stdout), s.dropped, s.end)
	}
}
