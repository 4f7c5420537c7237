package provider

import (
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// agentBook keeps which agents are at work, so that each gets an end also when
// the runtime dies before it can tell. Its zero value is ready.
type agentBook struct {
	mu       sync.Mutex
	instance string                         // of the runtime; "" when it does not tell
	prompts  map[string]wire.ProcessStopped // by message id: sent, and nothing heard yet
	agents   map[string]wire.ProcessStopped // by agent instance
}

// prompted notes that a prompt goes to the runtime.
func (b *agentBook) prompted(frame []byte) {
	m := &wire.MessageResponse{}
	if wire.Unmarshal(frame, m) != nil {
		return // the runtime will say what is wrong with it
	}
	id := firstOf(m.MessageID, m.Message.MessageID)
	if id == "" {
		return
	}
	end := wire.ProcessStopped{MessageID: id, ThreadID: m.Message.ThreadID}
	if m.Message.SelectedAgent != nil {
		end.AgentID = m.Message.SelectedAgent.ID
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.prompts == nil {
		b.prompts = map[string]wire.ProcessStopped{}
	}
	b.prompts[id] = end
}

// saw notes what the runtime says of its agents.
func (b *agentBook) saw(head wire.Header, frame []byte) {
	switch head.Type {
	case wire.TypeAgentStarted:
		m := &wire.AgentStarted{}
		if wire.Unmarshal(frame, m) != nil || m.InstanceID == "" {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.agents == nil {
			b.agents = map[string]wire.ProcessStopped{}
		}
		delete(b.prompts, m.MessageID)
		b.agents[m.InstanceID] = wire.ProcessStopped{AgentID: m.AgentID, AgentInstanceID: m.InstanceID, ThreadID: m.ThreadID, MessageID: m.MessageID}
	case wire.TypeProcessStopped:
		m := &wire.ProcessStopped{}
		if wire.Unmarshal(frame, m) != nil {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.prompts, m.MessageID)
		delete(b.agents, m.AgentInstanceID)
	}
}

// runtimeIs notes which runtime answers now. When it is another than before, the
// agents of the earlier one are over, and their ends are returned.
func (b *agentBook) runtimeIs(instance string) (ends []wire.ProcessStopped) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.instance
	b.instance = instance
	if before == "" || before == instance {
		return nil
	}
	for _, book := range []map[string]wire.ProcessStopped{b.agents, b.prompts} {
		for key, end := range book {
			end.Type, end.Synthetic, end.Timestamp, end.RequestID = wire.TypeProcessStopped, true, time.Now().UnixMilli(), wire.NewID()
			end.Problem = wire.ProblemOf(wire.Errorf(wire.Unavailable, "the runtime ended while the agent was at work; its files are as it left them"))
			ends = append(ends, end)
			delete(book, key)
		}
	}
	return ends
}
