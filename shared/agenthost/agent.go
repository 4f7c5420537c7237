package agenthost

import (
	"context"
	"encoding/base64"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// keptAgents is how many ended agents are remembered for providers that come
// later.
const keptAgents = 16

// Starter starts agents of one kind.
type Starter interface {
	// Start starts the agent that prompt selects. What it prints and how it ends
	// goes to Report; Start returns once that has begun. An error means that
	// nothing runs.
	Start(ctx context.Context, prompt *wire.Prompt, r Report) (Agent, error)
}

// Agent is a running agent.
type Agent interface {
	// Stop asks it to end, and ends it by force after grace. It returns at once
	// and may be called again, also with less grace.
	Stop(grace time.Duration)
	// Deliver gives it a further message; false when it takes none.
	Deliver(frame []byte) bool
}

// Report is how a Starter tells what an agent does. Its methods are safe for
// concurrent use.
type Report struct {
	Environ    []string // of the agent
	Workspace  string
	InstanceID string // of this run
	h          *Host
	a          *agent
}

// Started tells that the agent runs as process pid.
func (r Report) Started(pid int) {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	r.a.started = &wire.AgentStarted{
		Type: wire.TypeAgentStarted, AgentID: r.a.id, InstanceID: r.a.instance, ThreadID: r.a.thread,
		ProjectInfo: &wire.ProjectInfo{Path: r.h.opt.Workspace, Name: r.h.opt.Name},
		PID:         pid, Timestamp: time.Now().UnixMilli(), MessageID: r.a.message,
	}
	r.h.moved.Broadcast()
}

// Output tells what the agent printed on a stream. While a connected provider is
// far behind, it waits.
func (r Report) Output(stream string, data []byte) {
	out := &wire.AgentOutput{
		Type: wire.TypeAgentOutput, AgentID: r.a.id, AgentInstanceID: r.a.instance, ThreadID: r.a.thread,
		Stream: stream, Timestamp: time.Now().UnixMilli(),
	}
	if utf8.Valid(data) {
		out.Data = string(data)
	} else {
		out.Data, out.Encoding = base64.StdEncoding.EncodeToString(data), wire.Base64
	}
	r.h.record(r.a, event{output: out, size: len(data)})
}

// Ended tells that the agent is over. Nothing may be reported afterwards.
func (r Report) Ended(end wire.ProcessStopped) {
	end.Type, end.AgentID, end.AgentInstanceID = wire.TypeProcessStopped, r.a.id, r.a.instance
	end.ThreadID, end.MessageID, end.Timestamp = r.a.thread, r.a.message, time.Now().UnixMilli()
	r.h.record(r.a, event{end: &end})
}

// agent is one run of an agent and the history of what it did. Under Host.mu.
type agent struct {
	id, instance, thread, message string

	run     Agent
	started *wire.AgentStarted
	ended   bool
	events  []event
	first   int              // index of events[0] over the agent's life
	kept    int              // what events cost, in bytes
	total   int64            // what all events so far cost
	offsets map[string]int64 // bytes printed, by stream
	done    chan struct{}
}

// event is one thing that an agent's providers are told: some output, or the
// end.
type event struct {
	output *wire.AgentOutput
	end    *wire.ProcessStopped
	size   int   // bytes of output
	upTo   int64 // agent.total with this event
}

// eventCost is what an event costs besides its bytes, so that many small pieces
// are bounded too.
const eventCost = 256

func (e event) cost() int { return e.size + eventCost }

// frame encodes the event for a client that has been told the stream up to
// offset seen.
func (e event) frame(replay bool, seen int64) []byte {
	if e.end != nil {
		end := *e.end
		end.Replay = replay
		return encode(&end)
	}
	out := *e.output
	out.Replay, out.Dropped = replay, out.Offset-seen
	return encode(&out)
}

func encode(body any) []byte {
	frame, err := wire.Marshal(body)
	if err != nil {
		// These types always encode: their texts were checked when they were made.
		panic(err)
	}
	return frame
}

// record adds to an agent's history and lets the oldest output go.
func (h *Host) record(a *agent, ev event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ev.output != nil {
		h.waitForReaders(a, ev.cost())
		ev.output.Offset = a.offsets[ev.output.Stream]
		a.offsets[ev.output.Stream] += int64(ev.size)
	} else {
		ev.end.StdoutBytes, ev.end.StderrBytes = a.offsets[wire.Stdout], a.offsets[wire.Stderr]
		a.ended = true
		close(a.done)
	}
	a.total += int64(ev.cost())
	ev.upTo = a.total
	a.events = append(a.events, ev)
	a.kept += ev.cost()
	for a.kept > h.opt.History && len(a.events) > 1 {
		a.kept -= a.events[0].cost()
		a.events[0] = event{}
		a.events = a.events[1:]
		a.first++
	}
	h.moved.Broadcast()
}

// waitForReaders waits until the history can take more without losing what a
// connected client has yet to be told: an agent prints no faster than it is
// read. A client without a connection holds nobody up. It is called under mu,
// which it gives up while it waits.
func (h *Host) waitForReaders(a *agent, cost int) {
	for h.ctx.Err() == nil {
		lags := false
		for c := range h.clients {
			if at := c.seen[a]; c.up && at != nil && a.total > at.told && a.total-at.told+int64(cost) > int64(h.opt.History) {
				lags = true
			}
		}
		if !lags {
			return
		}
		h.moved.Wait()
	}
}

// prompt starts the agent that a message selects. Whatever comes of it, exactly
// one processStoped follows.
func (h *Host) prompt(m *wire.MessageResponse) {
	a := &agent{instance: uuid.NewString(), thread: m.Message.ThreadID, message: m.MessageID, offsets: map[string]int64{}, done: make(chan struct{})}
	if a.message == "" {
		a.message = m.Message.MessageID
	}
	r := Report{h: h, a: a, Environ: h.opt.Environ, Workspace: h.opt.Workspace, InstanceID: a.instance}
	selected := m.Message.SelectedAgent
	if selected != nil {
		a.id = selected.ID
	}
	if a.id == "" {
		a.id = a.instance
	}
	h.add(a)
	refuse := func(err error) {
		h.log.Warn("agent not started", "agent", a.id, "error", err)
		r.Ended(wire.ProcessStopped{Problem: wire.ProblemOf(err), Synthetic: true})
	}
	if selected == nil {
		refuse(wire.Errorf(wire.Invalid, "the message selects no agent"))
		return
	}
	var starter Starter = commands{h: h}
	if selected.AgentType != wire.AgentTypeCommand {
		var ok bool
		if starter, ok = h.opt.Starters[selected.AgentType]; !ok {
			refuse(wire.Errorf(wire.Unsupported, "this runtime does not start agents of type %q; it starts %q", selected.AgentType, wire.AgentTypeCommand))
			return
		}
	}
	if h.ctx.Err() != nil {
		refuse(wire.Errorf(wire.NotRunning, "the runtime is ending"))
		return
	}
	run, err := starter.Start(h.ctx, &m.Message, r)
	if err != nil {
		refuse(err)
		return
	}
	h.mu.Lock()
	a.run = run
	h.mu.Unlock()
	if h.ctx.Err() != nil {
		run.Stop(h.opt.StopGrace) // it began while the others were being stopped
	}
}

// add remembers an agent and forgets the oldest that have ended, once every
// connected client has been told so.
func (h *Host) add(a *agent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.agents = append(h.agents, a)
	for i := 0; len(h.agents) > keptAgents && i < len(h.agents); {
		old := h.agents[i]
		if !old.ended || h.untold(old) {
			i++
			continue
		}
		h.agents = append(h.agents[:i], h.agents[i+1:]...)
		for c := range h.clients {
			delete(c.seen, old)
		}
	}
}

// untold reports whether a connected client has yet to be told of an agent;
// under mu.
func (h *Host) untold(a *agent) bool {
	for c := range h.clients {
		if at := c.seen[a]; c.up && (at == nil || at.behind(a)) {
			return true
		}
	}
	return false
}

// stop stops the agents that a stopProcessClicked means; without any id, all.
func (h *Host) stop(m *wire.StopProcess) {
	grace := h.opt.StopGrace
	if m.GraceMS > 0 {
		grace = time.Duration(m.GraceMS) * time.Millisecond
	}
	for _, a := range h.running() {
		if (m.AgentInstanceID == "" || m.AgentInstanceID == a.instance) &&
			(m.AgentID == "" || m.AgentID == a.id) && (m.ThreadID == "" || m.ThreadID == a.thread) {
			a.run.Stop(grace)
		}
	}
}

// deliver gives a message to the agent that it names.
func (h *Host) deliver(frame []byte) bool {
	id := target(frame)
	for _, a := range h.running() {
		if id != "" && a.id == id && a.run.Deliver(frame) {
			return true
		}
	}
	return false
}

func (h *Host) running() []*agent {
	h.mu.Lock()
	defer h.mu.Unlock()
	var now []*agent
	for _, a := range h.agents {
		if !a.ended && a.run != nil {
			now = append(now, a)
		}
	}
	return now
}

// stopAll stops all agents and waits for their end.
func (h *Host) stopAll() {
	var wg sync.WaitGroup
	for _, a := range h.running() {
		wg.Go(func() {
			a.run.Stop(h.opt.StopGrace)
			<-a.done
		})
	}
	wg.Wait()
}
