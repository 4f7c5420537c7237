//go:build unix

package stage

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Said is a message of an agent, as it came.
type Said map[string]any

// Platform answers what the agents of an environment ask, and keeps what they say.
type Platform struct {
	t *testing.T
	e *server.Environment

	mu    sync.Mutex
	said  []Said
	moved chan struct{}
}

// NewPlatform listens to the agents of an environment from now on. A question to the
// language model is answered with what it says.
func NewPlatform(t *testing.T, e *server.Environment) *Platform {
	answered := map[any]bool{}
	var mu sync.Mutex
	// What is asked a second time, because the first answer may be lost, is answered
	// again; it is not done again.
	return hear(t, e, func(said Said) {
		mu.Lock()
		again := answered[said["requestId"]]
		answered[said["requestId"]] = true
		mu.Unlock()
		if said["type"] == "inference" {
			go func() {
				answer := map[string]any{"type": "llmResponse", "requestId": said["requestId"], "completion": said["message"], "again": again}
				if err := e.Send(t.Context(), answer); err != nil && t.Context().Err() == nil {
					t.Logf("not answered: %v", err)
				}
			}()
		}
	})
}

// Hear listens to an environment from now on, and answers nothing.
func Hear(t *testing.T, e *server.Environment) *Platform { return hear(t, e, func(Said) {}) }

func hear(t *testing.T, e *server.Environment, answer func(Said)) *Platform {
	p := &Platform{t: t, e: e, moved: make(chan struct{}, 1)}
	cancel := e.Subscribe(func(_ wire.Header, frame []byte) {
		said := Said{}
		if err := wire.Unmarshal(frame, &said); err != nil {
			t.Errorf("an agent said %s: %v", frame, err)
			return
		}
		p.mu.Lock()
		p.said = append(p.said, said)
		p.mu.Unlock()
		select {
		case p.moved <- struct{}{}:
		default:
		}
		answer(said)
	})
	t.Cleanup(cancel)
	return p
}

// Tell gives an agent a message, and starts it when it is not there.
func (p *Platform) Tell(agent wire.SelectedAgent, messageID, text string) {
	p.t.Helper()
	err := p.e.StartAgent(Limit(p.t), wire.MessageResponse{
		Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: messageID,
		Message: wire.Prompt{UserMessage: text, ThreadID: "thread-" + messageID, MessageID: messageID, SelectedAgent: &agent},
	})
	if err != nil {
		p.t.Fatalf("tell the agent %s: %v", agent.ID, err)
	}
}

// All are the messages so far for which want is true, in the order in which they came.
func (p *Platform) All(want func(Said) bool) (all []Said) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, said := range p.said {
		if want(said) {
			all = append(all, said)
		}
	}
	return all
}

// Await waits until there are so many of them.
func (p *Platform) Await(n int, want func(Said) bool) []Said {
	p.t.Helper()
	timeout := time.After(90 * time.Second)
	for {
		all := p.All(want)
		if len(all) >= n {
			return all
		}
		select {
		case <-p.moved:
		case <-timeout:
			p.mu.Lock()
			last := fmt.Sprint(p.said[max(len(p.said)-5, 0):])
			p.mu.Unlock()
			p.t.Fatalf("%d of %d came; the last of all: %s", len(all), n, last)
		}
	}
}

// End waits for the end of a message.
func (p *Platform) End(messageID string) Said {
	p.t.Helper()
	return p.Await(1, func(s Said) bool { return s["type"] == wire.TypeProcessStopped && s["messageId"] == messageID })[0]
}
