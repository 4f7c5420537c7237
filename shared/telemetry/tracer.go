package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	otelresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// scope names what makes the spans.
const scope = "github.com/codeboltai/codebolt-providers/shared/telemetry"

// Kind is the role that a span's work has for whoever waits for it.
type Kind = trace.SpanKind

// The kinds of spans.
const (
	Internal = trace.SpanKindInternal
	Server   = trace.SpanKindServer   // answers a request
	Client   = trace.SpanKindClient   // asks and waits
	Producer = trace.SpanKindProducer // sends a message
	Consumer = trace.SpanKindConsumer // works on a message
)

// TracerOptions say whose spans these are and where they go.
type TracerOptions struct {
	// Service is the service.name; it counts before OTEL_SERVICE_NAME, which a provider
	// may have from whatever started it.
	Service string
	// Attributes describe what the service serves.
	Attributes []attribute.KeyValue
	// Endpoint is the base URL of an OTLP/HTTP receiver; it counts before the variables.
	Endpoint string
	// Environ has the OTEL_ variables, as os.Environ gives it. What concerns sampling,
	// batches and limits, the OpenTelemetry SDK reads from the process itself.
	Environ []string
	Log     *slog.Logger // nil logs nothing
}

// Tracer begins spans and sends those that ended. Its methods are safe for concurrent
// use. Nil traces nothing.
type Tracer struct {
	sdk    *sdktrace.TracerProvider
	tracer trace.Tracer
}

// NewTracer makes a tracer, or nil when neither the options nor the variables say where
// spans go, or the variables turn it off (OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER=none).
// It connects to nothing yet. It fails with kind Invalid for an endpoint that is no
// http or https URL, and Unsupported for a protocol that is not OTLP over HTTP.
func NewTracer(ctx context.Context, o TracerOptions) (*Tracer, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	target, err := targetOf(o.Endpoint, environ(o.Environ))
	if target == nil || err != nil {
		return nil, err
	}
	named, err := otelresource.New(ctx, otelresource.WithFromEnv())
	if err != nil {
		o.Log.Warn("OTEL_RESOURCE_ATTRIBUTES was not read whole", "error", err)
	}
	ours := append([]attribute.KeyValue{attribute.String("service.name", o.Service), attribute.String("telemetry.sdk.language", "go")}, o.Attributes...)
	all, err := otelresource.Merge(named, otelresource.NewSchemaless(ours...))
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "begin tracing: %w", err)
	}
	sdk := sdktrace.NewTracerProvider(sdktrace.WithResource(all), sdktrace.WithBatcher(newExporter(*target, o.Log)))
	return &Tracer{sdk: sdk, tracer: sdk.Tracer(scope)}, nil
}

// environ reads the variables of interest.
func environ(pairs []string) map[string]string {
	env := map[string]string{}
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, "OTEL_") {
			env[name] = strings.TrimSpace(value)
		}
	}
	return env
}

// Close sends what has ended and is not sent, until ctx ends, and traces no more. It is
// idempotent.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.sdk.Shutdown(ctx)
}

// Start begins a span below parent, which may be the zero Context: then it is the root of
// a new trace.
func (t *Tracer) Start(parent Context, name string, kind Kind, attributes ...attribute.KeyValue) *Span {
	return t.StartAt(time.Time{}, parent, name, kind, attributes...)
}

// StartAt is Start for a span that began at a time already; the zero Time is now.
func (t *Tracer) StartAt(at time.Time, parent Context, name string, kind Kind, attributes ...attribute.KeyValue) *Span {
	if t == nil {
		return nil
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(attributes...)}
	if !at.IsZero() {
		options = append(options, trace.WithTimestamp(at))
	}
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), parent.span())
	_, span := t.tracer.Start(ctx, name, options...)
	return &Span{span}
}

// Span is a piece of work under way. Its methods are safe for concurrent use. Nil is one
// of no tracer.
type Span struct{ span trace.Span }

// Context is what messages carry that are a part of this work; the zero Context for nil.
func (s *Span) Context() Context {
	if s == nil {
		return Context{}
	}
	return contextOf(s.span.SpanContext())
}

// Set adds attributes.
func (s *Span) Set(attributes ...attribute.KeyValue) {
	if s != nil {
		s.span.SetAttributes(attributes...)
	}
}

// End ends the span. An error makes it one that failed, of which only the kind is told:
// its text may hold what is nobody's business. The first End counts.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, "")
		s.span.SetAttributes(attribute.String("error.type", string(wire.CodeOf(err))))
	}
	s.span.End()
}
