package agenthost

import (
	"context"
	"encoding/base64"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/codeboltai/codebolt-providers/shared/agentfolder"
	"github.com/codeboltai/codebolt-providers/shared/telemetry"
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
	Envelope   []byte // the whole message that starts it
	// Trace is where in a trace the agent works; the zero Context when there is none.
	Trace telemetry.Context
	h     *Host
	a     *agent
}

// Started tells that the agent runs as process pid.
func (r Report) Started(pid int) {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	r.a.started = &wire.AgentStarted{
		Type: wire.TypeAgentStarted, AgentID: r.a.id, ParentID: r.a.parent, InstanceID: r.a.instance, ThreadID: r.a.thread,
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
	r.a.span.End(end.Err())
	r.h.record(r.a, event{end: &end, last: true})
}

// agent is one run of an agent and the history of what it did. Under Host.mu.
type agent struct {
	id, instance, thread, message string
	parent                        string // the provider's connection that asked for it

	run     Agent
	speaker *speaker        // when it is one
	span    *telemetry.Span // of its first message
	started *wire.AgentStarted
	ended   bool
	events  []event
	first   int              // index of events[0] over the agent's life
	kept    int              // what events cost, in bytes
	reached int              // of a speaker: index of the first event that no client is known to have
	total   int64            // what all events so far cost
	offsets map[string]int64 // bytes printed, by stream
	done    chan struct{}
}

// event is one thing that an agent's providers are told: some output, a message of the
// agent, or an end.
type event struct {
	output *wire.AgentOutput
	end    *wire.ProcessStopped
	frame  []byte
	asks   *question // of a frame that is to be answered
	last   bool      // the agent is over
	size   int       // bytes of output
	upTo   int64     // agent.total with this event
}

// eventCost is what an event costs besides its bytes, so that many small pieces
// are bounded too.
const eventCost = 256

func (e event) cost() int { return e.size + len(e.frame) + eventCost }

// encode encodes the event for a client that has been told the stream up to
// offset seen.
func (e event) encode(replay bool, seen int64) []byte {
	switch {
	case e.frame != nil && replay:
		again, err := wire.With(e.frame, map[string]any{"replay": true})
		if err != nil {
			return e.frame // it was looked at when it came
		}
		return again
	case e.frame != nil:
		return e.frame
	case e.end != nil:
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
	if !ev.last {
		h.waitForReaders(a, ev.cost())
	}
	switch {
	case ev.output != nil:
		ev.output.Offset = a.offsets[ev.output.Stream]
		a.offsets[ev.output.Stream] += int64(ev.size)
	case ev.end != nil:
		ev.end.StdoutBytes, ev.end.StderrBytes = a.offsets[wire.Stdout], a.offsets[wire.Stderr]
	}
	if ev.last {
		a.ended = true
		close(a.done)
	}
	a.total += int64(ev.cost())
	ev.upTo = a.total
	a.events = append(a.events, ev)
	a.kept += ev.cost()
	for len(a.events) > 1 && h.droppable(a) {
		a.drop()
	}
	h.meters.heard()
	h.moved.Broadcast()
}

// droppable reports whether the oldest event need not be kept: there are too many, or it
// asks what was answered. Of what a speaker has said somebody must have been told it.
// Under mu.
func (h *Host) droppable(a *agent) bool {
	if a.speaker != nil && a.first >= a.reached {
		return false
	}
	asks := a.events[0].asks
	if asks != nil && !asks.told && h.asked.open(asks) {
		return false // whoever claims the gateway next has to be asked
	}
	return a.kept > h.opt.History || asks != nil && !h.asked.open(asks)
}

// unreached is what the events cost that nobody has been told of.
func (a *agent) unreached() (cost int) {
	for i, ev := range a.events {
		if i >= a.reached-a.first || ev.asks != nil && !ev.asks.told {
			cost += ev.cost()
		}
	}
	return cost
}

// drop lets the oldest event go.
func (a *agent) drop() {
	a.kept -= a.events[0].cost()
	a.events[0] = event{}
	a.events = a.events[1:]
	a.first++
}

// waitForReaders waits until the history can take more without losing what a
// connected client has yet to be told: an agent prints no faster than it is
// read. A client without a connection holds nobody up, but for an agent that speaks: of
// its messages none is dropped that nobody has been told. It is called under mu,
// which it gives up while it waits.
func (h *Host) waitForReaders(a *agent, cost int) {
	for h.ctx.Err() == nil {
		lags := a.speaker != nil && a.unreached()+cost > h.opt.History && a.reached < a.first+len(a.events)
		for c := range h.clients {
			told := int64(0) // also by one whose pump has not come to the agent yet
			if at := c.seen[a]; at != nil {
				told = at.told
			}
			if c.up && a.total > told && a.total-told+int64(cost) > int64(h.opt.History) {
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
func (h *Host) prompt(m *wire.MessageResponse, envelope []byte, parent string) {
	envelope, trace, span := h.works(m, envelope)
	if h.further(m, envelope, span) {
		return
	}
	a := &agent{parent: parent, span: span, instance: uuid.NewString(), thread: m.Message.ThreadID, message: m.MessageID, offsets: map[string]int64{}, done: make(chan struct{})}
	if a.message == "" {
		a.message = m.Message.MessageID
	}
	r := Report{h: h, a: a, Environ: h.opt.Environ, Workspace: h.opt.Workspace, InstanceID: a.instance, Envelope: envelope, Trace: trace}
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
	switch further, ok := h.opt.Starters[selected.AgentType]; {
	case ok:
		starter = further
	case slices.Contains(agentfolder.Types, selected.AgentType):
		starter = nodeAgents{h: h}
	case selected.AgentType != wire.AgentTypeCommand:
		refuse(wire.Errorf(wire.Unsupported, "this runtime does not start agents of type %q; it starts %q and %q", selected.AgentType, wire.AgentTypeCommand, agentfolder.Types))
		return
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

// further gives a message to the agent that it selects when that runs and takes
// messages; false when one is to be started.
func (h *Host) further(m *wire.MessageResponse, envelope []byte, span *telemetry.Span) bool {
	for _, a := range h.running() {
		selected := m.Message.SelectedAgent
		if a.speaker == nil || selected != nil && selected.ID != a.id || selected == nil && (m.Message.ThreadID == "" || m.Message.ThreadID != a.thread) {
			continue
		}
		id := m.MessageID
		if id == "" {
			id = m.Message.MessageID
		}
		if a.speaker.further(message{id, m.Message.ThreadID, span}, envelope) {
			return true
		}
	}
	return false
}

// stop stops the agents that a stopProcessClicked means; without any id, all.
func (h *Host) stop(m *wire.StopProcess, frame []byte) {
	grace := h.opt.StopGrace
	if m.GraceMS > 0 {
		grace = time.Duration(m.GraceMS) * time.Millisecond
	}
	for _, a := range h.running() {
		if (m.AgentInstanceID == "" || m.AgentInstanceID == a.instance) &&
			(m.AgentID == "" || m.AgentID == a.id) && (m.ThreadID == "" || m.ThreadID == a.thread) {
			if a.speaker != nil {
				a.speaker.Interrupt(frame, grace)
			} else {
				a.run.Stop(grace)
			}
		}
	}
}

// deliver gives a message of the platform to the agent that waits for it or, when none
// does, that it names.
func (h *Host) deliver(head wire.Header, frame []byte) bool {
	if h.answered(head.RequestID, head.Type, frame) {
		return true
	}
	names := address(frame)
	if h.answered(wire.ID(names.ReplyRequestID), head.Type, frame) || h.answered(wire.ID(names.Data.RequestID), head.Type, frame) {
		return true
	}
	agents := h.running()
	if head.Type == wire.TypeConfirmation && slices.ContainsFunc(agents, func(a *agent) bool { return a.speaker != nil && a.speaker.caller.Decide(head, frame) }) {
		return true
	}
	if named := names.agents(); len(named) > 0 {
		return slices.ContainsFunc(agents, func(a *agent) bool {
			return (slices.Contains(named, a.id) || slices.Contains(named, a.instance)) && a.run.Deliver(frame)
		})
	}
	if head.Type == wire.TypeSteering {
		return slices.ContainsFunc(agents, func(a *agent) bool {
			return names.ThreadID != "" && a.thread == string(names.ThreadID) && a.run.Deliver(frame)
		})
	}
	agents = slices.DeleteFunc(agents, func(a *agent) bool { return a.speaker == nil })
	return len(agents) == 1 && agents[0].run.Deliver(frame)
}

// answered gives an answer to the agent that waits for it; false when nobody has asked.
// One that comes twice is nobody's.
func (h *Host) answered(id wire.ID, typ string, frame []byte) bool {
	q, known := h.asked.answer(id, typ)
	if q != nil {
		q.deliver(frame)
	}
	return known
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
