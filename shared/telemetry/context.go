package telemetry

import (
	"bytes"
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The members of a message, or of an object in it, that say to which trace it belongs:
// the two headers of W3C Trace Context. An extension.
const (
	KeyParent = "traceparent"
	KeyState  = "tracestate"
)

// EnvParent and EnvState are the variables in which a program finds the trace that it
// works for.
const (
	EnvParent = "TRACEPARENT"
	EnvState  = "TRACESTATE"
)

// Context is a place in a trace as messages carry it. The zero value is none.
type Context struct {
	Parent, State string
}

// ContextOf reads the trace context of a message. A message without one, one that is no
// JSON object and a context that is not well formed give the zero Context: a trace is
// never a reason to refuse anything.
func ContextOf(frame []byte) Context {
	if !bytes.Contains(frame, []byte(`"`+KeyParent+`"`)) {
		return Context{} // as nearly all, and their JSON is not read for it
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(frame), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '{' {
		return Context{}
	}
	var c Context
	for dec.PeekKind() == '"' {
		key, err := dec.ReadToken()
		if err != nil {
			return Context{}
		}
		into := map[string]*string{KeyParent: &c.Parent, KeyState: &c.State}[key.String()]
		value, err := dec.ReadValue()
		if err != nil {
			return Context{}
		}
		if into != nil && json.Unmarshal(value, into) != nil {
			return Context{}
		}
	}
	return c.valid()
}

// valid is c without what is not well formed, which may become a variable of a program.
func (c Context) valid() Context {
	span := c.span()
	if !span.IsValid() {
		return Context{}
	}
	if len(c.Parent) != parentLen { // of a later version, and goes on in ours
		return contextOf(span)
	}
	return Context{Parent: c.Parent, State: span.TraceState().String()}
}

// parentLen is the length of a traceparent of version 00.
const parentLen = 2 + 1 + 32 + 1 + 16 + 1 + 2

// IsZero reports whether there is no trace.
func (c Context) IsZero() bool { return c.Parent == "" }

// Put is the message with this context instead of any that it had; the zero Context
// leaves it as it is. It fails with kind Invalid when frame is no JSON object.
func (c Context) Put(frame []byte) ([]byte, error) {
	if c.IsZero() {
		return frame, nil
	}
	members := map[string]any{KeyParent: c.Parent, KeyState: nil}
	if c.State != "" {
		members[KeyState] = c.State
	}
	return wire.With(frame, members)
}

// Environ is the context as variables of a program; none for the zero Context.
func (c Context) Environ() []string {
	if c.IsZero() {
		return nil
	}
	env := []string{EnvParent + "=" + c.Parent}
	if c.State != "" {
		env = append(env, EnvState+"="+c.State)
	}
	return env
}

// span is the context in OpenTelemetry's form.
func (c Context) span() trace.SpanContext {
	if c.Parent == "" {
		return trace.SpanContext{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{KeyParent: c.Parent, KeyState: c.State})
	return trace.SpanContextFromContext(ctx)
}

// contextOf is the way back from span.
func contextOf(s trace.SpanContext) Context {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), s), carrier)
	return Context{Parent: carrier[KeyParent], State: carrier[KeyState]}
}
