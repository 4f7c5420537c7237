package agenthost

import (
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// What becomes of what an agent says.
const (
	outcomeHere     = "here"     // answered in the environment
	outcomePlatform = "platform" // passed on
	outcomeRefused  = "refused"
)

// meters are the numbers of a runtime.
type meters struct {
	registry *telemetry.Registry
	messages *telemetry.Counter
	prompts  *telemetry.Counter
	last     *atomic.Int64 // when something was heard of an agent; nanoseconds since 1970
}

const metricsPrefix = "codebolt_runtime_"

func newMeters(h *Host) meters {
	r := &telemetry.Registry{}
	m := meters{
		registry: r, last: new(atomic.Int64),
		prompts:  r.Counter(metricsPrefix+"prompts_total", "Messages for agents to work on."),
		messages: r.Counter(metricsPrefix+"agent_messages_total", "Messages and requests of agents that speak, by what became of them: here, platform or refused.", "outcome"),
	}
	for _, outcome := range []string{outcomeHere, outcomePlatform, outcomeRefused} {
		m.messages.Add(0, outcome)
	}
	r.Func(func(w *telemetry.Writer) {
		now := h.Status()
		working := 0
		for _, a := range now.Agents {
			if a.Working {
				working++
			}
		}
		w.Gauge(metricsPrefix+"agents_running", "Agents that run.", float64(len(now.Agents)))
		w.Gauge(metricsPrefix+"agents_working", "Agents that work on a message.", float64(working))
		w.Gauge(metricsPrefix+"questions_outstanding", "Requests of agents that the platform has not answered.", float64(now.Questions))
		w.Gauge(metricsPrefix+"commands_running", "Commands of agents that run or wait.", float64(now.Commands))
		w.Gauge(metricsPrefix+"history_bytes", "Bytes kept of what agents said and printed.", float64(now.History))
	})
	r.Process(metricsPrefix)
	return m
}

// heard notes that something was heard of an agent.
func (m *meters) heard() { m.last.Store(time.Now().UnixNano()) }

func (m *meters) serve(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(m.registry.Text()) // a caller that left needs no answer
}

// Status tells what runs now. It is safe for concurrent use.
func (h *Host) Status() wire.RuntimeStatus {
	st := wire.RuntimeStatus{Agents: []wire.AgentStatus{}}
	var speakers []*speaker // by agent; nil for others
	h.mu.Lock()
	for _, a := range h.agents {
		st.History += int64(a.kept)
		if a.ended {
			continue
		}
		one := wire.AgentStatus{ID: a.id, InstanceID: a.instance, ThreadID: a.thread, Working: true}
		if a.started != nil {
			one.PID = a.started.PID
		}
		st.Agents = append(st.Agents, one)
		speakers = append(speakers, a.speaker)
	}
	h.mu.Unlock()
	for i, s := range speakers {
		if s == nil {
			continue
		}
		one := &st.Agents[i]
		one.Working, one.Questions = s.busy(), h.asked.outstanding(s)
		st.Questions += one.Questions
		st.Commands += s.caller.Commands()
	}
	if last := h.meters.last.Load(); last != 0 {
		st.Heard = wire.Time{Time: time.Unix(0, last)}
	}
	return st
}

// outstanding is how many requests of an agent have no answer.
func (s *switchboard) outstanding(a *speaker) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.waiting
}

func (h *Host) serveStatus(w http.ResponseWriter) {
	body, err := wire.Marshal(h.Status())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a caller that left needs no answer
}

// works begins the span of a message that an agent is to work on, which ends with that
// message. What the agent is given has its context. Without a tracer, a context that the
// message has goes on as it is.
func (h *Host) works(m *wire.MessageResponse, envelope []byte) ([]byte, telemetry.Context, *telemetry.Span) {
	h.meters.prompts.Add(1)
	at := telemetry.ContextOf(envelope)
	if h.opt.Tracer == nil {
		return envelope, at, nil
	}
	id := m.MessageID
	if id == "" {
		id = m.Message.MessageID
	}
	attributes := append(messaging("process", m.Header), attribute.String("messaging.message.id", id), attribute.String("messaging.message.conversation_id", m.Message.ThreadID))
	if selected := m.Message.SelectedAgent; selected != nil {
		attributes = append(attributes, attribute.String("gen_ai.agent.id", selected.ID), attribute.String("codebolt.agent.type", selected.AgentType))
	}
	span := h.opt.Tracer.Start(at, "process "+m.Type, telemetry.Consumer, attributes...)
	at = span.Context()
	if traced, err := at.Put(envelope); err == nil { // it was read as an object already
		envelope = traced
	}
	return envelope, at, span
}

// messaging are the attributes of a message by OpenTelemetry's conventions.
func messaging(operation string, head wire.Header) []attribute.KeyValue {
	all := []attribute.KeyValue{
		attribute.String("messaging.system", "codebolt"), attribute.String("messaging.operation.name", operation),
		attribute.String("messaging.operation.type", operation), attribute.String("codebolt.message.type", head.Type),
	}
	if head.Action != "" {
		all = append(all, attribute.String("codebolt.message.action", head.Action))
	}
	return all
}

// rpc are the attributes of a request by OpenTelemetry's conventions, and its name.
func rpc(head wire.Header) (name string, all []attribute.KeyValue) {
	name = head.Type
	if head.Action != "" {
		name += "/" + head.Action
	}
	return name, []attribute.KeyValue{attribute.String("rpc.system.name", "codebolt"), attribute.String("rpc.method", name)}
}

// above is the place in a trace that a message of the agent belongs below: the one that it
// says, else that of the message it works on.
func (s *speaker) above(frame []byte) telemetry.Context {
	if own := telemetry.ContextOf(frame); !own.IsZero() {
		return own
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 {
		return telemetry.Context{}
	}
	return s.open[0].span.Context()
}

// served watches a request that is answered in the environment.
func (s *speaker) served(head wire.Header, frame []byte) (ended func(error)) {
	s.h.meters.messages.Add(1, outcomeHere)
	if s.h.opt.Tracer == nil {
		return func(error) {}
	}
	name, attributes := rpc(head)
	attributes = append(attributes, attribute.String("gen_ai.agent.id", s.a.id))
	return s.h.opt.Tracer.Start(s.above(frame), name, telemetry.Server, attributes...).End
}

// asks begins the span of a question to the platform.
func (s *speaker) asks(head wire.Header, frame []byte) *telemetry.Span {
	if s.h.opt.Tracer == nil {
		return nil
	}
	name, attributes := rpc(head)
	attributes = append(attributes, attribute.String("gen_ai.agent.id", s.a.id))
	return s.h.opt.Tracer.Start(s.above(frame), name, telemetry.Client, attributes...)
}

// passed notes what goes to the platform, and adds what it is to carry to the members that
// it gets: a question its own span, anything else that of the message the agent works on.
func (s *speaker) passed(members map[string]any, frame []byte, q *question) {
	s.h.meters.messages.Add(1, outcomePlatform)
	if s.h.opt.Tracer == nil {
		return
	}
	var at telemetry.Context
	if q != nil {
		at = q.span.Context()
	} else {
		at = s.above(frame)
	}
	if at.IsZero() {
		return
	}
	members[telemetry.KeyParent], members[telemetry.KeyState] = at.Parent, nil
	if at.State != "" {
		members[telemetry.KeyState] = at.State
	}
}

// ended ends the span of a message that the agent has ended itself.
func (s *speaker) ended(m message, frame []byte) {
	if m.span == nil {
		return
	}
	var end wire.Problem
	if wire.Unmarshal(frame, &end) != nil {
		end = wire.Problem{} // the agent's own words
	}
	m.span.End(end.Err())
}
