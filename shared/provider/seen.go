package provider

import (
	"bytes"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// seen is a request of the server that is traced and counted. Nil is one that is not.
type seen struct {
	s      *session
	typ    string
	id     wire.ID
	begun  time.Time
	parent telemetry.Context
	span   *telemetry.Span
}

// arrived begins to watch a request; nil when nothing is. A start may say that it is to
// be, and is watched in any case.
func (s *session) arrived(verb wire.Verb, head wire.Header, frame []byte) *seen {
	o := s.observed.Load()
	if o == nil && verb.Type != wire.TypeProviderStart {
		return nil
	}
	r := &seen{s: s, typ: verb.Type, id: head.RequestID, begun: time.Now(), parent: telemetry.ContextOf(frame)}
	if r.parent.IsZero() && verb.Kind == wire.Agent {
		r.parent = promptContext(frame)
	}
	if o != nil {
		r.begin(o.tracer)
	}
	return r
}

func (r *seen) begin(t *telemetry.Tracer) {
	r.span = t.StartAt(r.begun, r.parent, r.typ, telemetry.Server,
		attribute.String("rpc.system.name", "codebolt"), attribute.String("rpc.method", r.typ), attribute.String("codebolt.request.id", string(r.id)))
}

// end ends it with what came of the request.
func (r *seen) end(err error) {
	if r == nil {
		return
	}
	o := r.s.observed.Load()
	if o == nil {
		return
	}
	if r.span == nil {
		r.begin(o.tracer)
	}
	r.span.End(err)
	o.answered(r.typ, time.Since(r.begun), err)
}

// before is a reply that ends it first.
func (r *seen) before(reply func(any, error)) func(any, error) {
	if r == nil {
		return reply
	}
	return func(result any, err error) {
		r.end(err)
		reply(result, err)
	}
}

// within is the place in a trace that the prompt of a request belongs below. When nothing
// is traced here, that is where the prompt's sender had it, or else the request's.
func (r *seen) within(frame, prompt []byte) telemetry.Context {
	if r != nil && r.span != nil {
		return r.span.Context()
	}
	if at := telemetry.ContextOf(prompt); !at.IsZero() {
		return at
	}
	return telemetry.ContextOf(frame)
}

// promptContext is the context that the prompt in an agent's start has.
func promptContext(frame []byte) telemetry.Context {
	var start struct {
		UserMessage wire.Raw `json:"userMessage"`
	}
	if !bytes.Contains(frame, []byte(telemetry.KeyParent)) || wire.Unmarshal(frame, &start) != nil {
		return telemetry.Context{} // a start that is wrong is refused later
	}
	return telemetry.ContextOf(start.UserMessage)
}

// forwardTraced passes a message on to the runtime. One without a context that is no
// prompt is, as a rule, an answer: it belongs to the trace of its question, whose span is
// the runtime's, and stays as it is.
func (s *session) forwardTraced(b *bridge, head wire.Header, frame []byte) error {
	if s.observed.Load().traces() == nil {
		return b.send(frame)
	}
	at := telemetry.ContextOf(frame)
	if at.IsZero() && head.Type != wire.TypeMessageResponse {
		return b.send(frame)
	}
	return s.sendTraced(b, head, frame, at)
}

// sendTraced sends a message to the runtime with its place in a trace.
func (s *session) sendTraced(b *bridge, head wire.Header, frame []byte, at telemetry.Context) error {
	tracer := s.observed.Load().traces()
	if tracer == nil && (at.IsZero() || telemetry.ContextOf(frame) == at) {
		return b.send(frame)
	}
	var span *telemetry.Span
	if tracer != nil {
		span = tracer.Start(at, "send "+head.Type, telemetry.Producer,
			attribute.String("messaging.system", "codebolt"), attribute.String("messaging.operation.name", "send"), attribute.String("messaging.operation.type", "send"),
			attribute.String("messaging.destination.name", "codebolt-runtime"), attribute.String("codebolt.message.type", head.Type), attribute.String("codebolt.request.id", string(head.RequestID)))
		at = span.Context()
	}
	traced, err := at.Put(frame)
	if err == nil {
		err = b.send(traced)
	}
	span.End(err)
	return err
}
