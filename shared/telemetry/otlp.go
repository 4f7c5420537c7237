package telemetry

import (
	"encoding/json"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// These are the messages of opentelemetry-proto in their JSON form: names in camel case,
// ids in hexadecimal digits, enumerations as numbers and 64-bit numbers as text.

type exportRequest struct {
	ResourceSpans []resourceSpans `json:"resourceSpans"`
}

type resourceSpans struct {
	Resource   otlpResource `json:"resource"`
	ScopeSpans []scopeSpans `json:"scopeSpans"`
	SchemaURL  string       `json:"schemaUrl,omitempty"`
}

type otlpResource struct {
	Attributes []keyValue `json:"attributes,omitempty"`
}

type scopeSpans struct {
	Scope otlpScope  `json:"scope"`
	Spans []otlpSpan `json:"spans"`
}

type otlpScope struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

type otlpSpan struct {
	TraceID           string      `json:"traceId"`
	SpanID            string      `json:"spanId"`
	TraceState        string      `json:"traceState,omitempty"`
	ParentSpanID      string      `json:"parentSpanId,omitempty"`
	Flags             uint32      `json:"flags,omitempty"`
	Name              string      `json:"name"`
	Kind              int         `json:"kind"`
	Start             string      `json:"startTimeUnixNano"`
	End               string      `json:"endTimeUnixNano"`
	Attributes        []keyValue  `json:"attributes,omitempty"`
	DroppedAttributes int         `json:"droppedAttributesCount,omitempty"`
	Events            []otlpEvent `json:"events,omitempty"`
	DroppedEvents     int         `json:"droppedEventsCount,omitempty"`
	Links             []otlpLink  `json:"links,omitempty"`
	DroppedLinks      int         `json:"droppedLinksCount,omitempty"`
	Status            otlpStatus  `json:"status"`
}

type otlpEvent struct {
	Time       string     `json:"timeUnixNano"`
	Name       string     `json:"name"`
	Attributes []keyValue `json:"attributes,omitempty"`
}

type otlpLink struct {
	TraceID    string     `json:"traceId"`
	SpanID     string     `json:"spanId"`
	TraceState string     `json:"traceState,omitempty"`
	Attributes []keyValue `json:"attributes,omitempty"`
}

type otlpStatus struct {
	Message string `json:"message,omitempty"`
	Code    int    `json:"code,omitempty"`
}

type keyValue struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

// Bits of otlpSpan.Flags beside the trace flags.
const (
	flagRemoteKnown = 0x100
	flagRemote      = 0x200
)

// requestOf encodes spans, which are all of one resource: a tracer has one.
func requestOf(spans []sdktrace.ReadOnlySpan) exportRequest {
	all := resourceSpans{SchemaURL: spans[0].Resource().SchemaURL()}
	all.Resource.Attributes = keyValues(spans[0].Resource().Attributes())
	at := map[string]int{}
	for _, s := range spans {
		of := s.InstrumentationScope()
		i, known := at[of.Name]
		if !known {
			i = len(all.ScopeSpans)
			at[of.Name] = i
			all.ScopeSpans = append(all.ScopeSpans, scopeSpans{Scope: otlpScope{of.Name, of.Version}})
		}
		all.ScopeSpans[i].Spans = append(all.ScopeSpans[i].Spans, spanOf(s))
	}
	return exportRequest{[]resourceSpans{all}}
}

func spanOf(s sdktrace.ReadOnlySpan) otlpSpan {
	own, parent := s.SpanContext(), s.Parent()
	out := otlpSpan{
		TraceID: own.TraceID().String(), SpanID: own.SpanID().String(), TraceState: own.TraceState().String(),
		Flags: uint32(own.TraceFlags()) | flagRemoteKnown, Name: s.Name(), Kind: int(s.SpanKind()),
		Start: nanos(s.StartTime()), End: nanos(s.EndTime()),
		Attributes: keyValues(s.Attributes()), DroppedAttributes: s.DroppedAttributes(),
		DroppedEvents: s.DroppedEvents(), DroppedLinks: s.DroppedLinks(),
	}
	if parent.IsRemote() {
		out.Flags |= flagRemote
	}
	if parent.HasSpanID() {
		out.ParentSpanID = parent.SpanID().String()
	}
	if out.Kind == int(trace.SpanKindUnspecified) {
		out.Kind = int(trace.SpanKindInternal)
	}
	// OpenTelemetry numbers its own codes in another order than the protocol's.
	switch status := s.Status(); status.Code {
	case codes.Ok:
		out.Status.Code = 1
	case codes.Error:
		out.Status = otlpStatus{Message: status.Description, Code: 2}
	case codes.Unset:
	}
	for _, e := range s.Events() {
		out.Events = append(out.Events, otlpEvent{Time: nanos(e.Time), Name: e.Name, Attributes: keyValues(e.Attributes)})
	}
	for _, l := range s.Links() {
		out.Links = append(out.Links, otlpLink{
			TraceID: l.SpanContext.TraceID().String(), SpanID: l.SpanContext.SpanID().String(),
			TraceState: l.SpanContext.TraceState().String(), Attributes: keyValues(l.Attributes),
		})
	}
	return out
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func keyValues(attributes []attribute.KeyValue) (all []keyValue) {
	for _, a := range attributes {
		all = append(all, keyValue{string(a.Key), anyValue(a.Value)})
	}
	return all
}

func anyValue(v attribute.Value) map[string]any {
	switch v.Type() {
	case attribute.BOOL:
		return map[string]any{"boolValue": v.AsBool()}
	case attribute.INT64:
		return map[string]any{"intValue": strconv.FormatInt(v.AsInt64(), 10)}
	case attribute.FLOAT64:
		return map[string]any{"doubleValue": v.AsFloat64()}
	case attribute.BOOLSLICE:
		return array(v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		return array(v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return array(v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.STRINGSLICE:
		return array(v.AsStringSlice(), attribute.StringValue)
	case attribute.STRING:
		return map[string]any{"stringValue": v.AsString()}
	default:
		return map[string]any{"stringValue": v.String()}
	}
}

func array[T any](values []T, of func(T) attribute.Value) map[string]any {
	all := []map[string]any{}
	for _, v := range values {
		all = append(all, anyValue(of(v)))
	}
	return map[string]any{"arrayValue": map[string]any{"values": all}}
}

// refused reads the answer of a receiver that took the request, but not all of its spans.
func refused(said []byte) error {
	var answer struct {
		PartialSuccess struct {
			RejectedSpans json.Number `json:"rejectedSpans"`
		} `json:"partialSuccess"`
	}
	_ = json.Unmarshal(said, &answer) // what is in another encoding is no complaint either
	if n, _ := answer.PartialSuccess.RejectedSpans.Int64(); n > 0 {
		return wire.Errorf(wire.Invalid, "send spans: the receiver rejected %d of them", n)
	}
	return nil
}
