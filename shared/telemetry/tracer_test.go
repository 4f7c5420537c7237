package telemetry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// received is what a receiver was sent.
type received struct {
	path   string
	header http.Header
	body   []byte
}

// receiver gives what was sent to it, and answers as answer says.
func receiver(t *testing.T, answer func(w http.ResponseWriter)) (string, <-chan received) {
	t.Helper()
	came := make(chan received, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		came <- received{r.URL.Path, r.Header, body}
		if answer != nil {
			answer(w)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, came
}

// close ends a tracer, which sends what it has.
func closed(t *testing.T, tracer *telemetry.Tracer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := tracer.Close(ctx); err != nil {
		t.Error(err)
	}
}

func newTracer(t *testing.T, o telemetry.TracerOptions) *telemetry.Tracer {
	t.Helper()
	tracer, err := telemetry.NewTracer(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

func TestASpanIsSentAsOTLPHasItInJSON(t *testing.T) {
	t.Parallel()
	url, came := receiver(t, nil)
	tracer := newTracer(t, telemetry.TracerOptions{
		Service: "one", Endpoint: url + "/base/", Environ: []string{"OTEL_EXPORTER_OTLP_HEADERS=a=b%20c, D = e"}, Attributes: []attribute.KeyValue{attribute.String("env", "x")},
	})
	begun := time.Unix(1700000000, 123456789)
	s := tracer.StartAt(begun, telemetry.Context{Parent: parent, State: "v=1"}, "name", telemetry.Consumer,
		attribute.String("s", "text"), attribute.Int("i", 7), attribute.Bool("b", true), attribute.StringSlice("l", []string{"p", "q"}))
	own := s.Context()
	s.End(wire.Errorf(wire.NotFound, "secret words"))
	s.End(nil)
	closed(t, tracer)
	r := <-came
	if r.path != "/base/v1/traces" || r.header.Get("a") != "b c" || r.header.Get("d") != "e" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("sent to %s with %v", r.path, r.header)
	}
	var got struct {
		ResourceSpans []struct {
			Resource struct {
				Attributes []struct {
					Key   string         `json:"key"`
					Value map[string]any `json:"value"`
				} `json:"attributes"`
			} `json:"resource"`
			ScopeSpans []struct {
				Spans []map[string]any `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	if err := json.Unmarshal(r.body, &got); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
	about := map[string]any{}
	for _, a := range got.ResourceSpans[0].Resource.Attributes {
		about[a.Key] = a.Value["stringValue"]
	}
	if about["service.name"] != "one" || about["env"] != "x" {
		t.Errorf("the resource is %v", about)
	}
	one := got.ResourceSpans[0].ScopeSpans[0].Spans[0]
	if end, _ := one["endTimeUnixNano"].(string); end <= "1700000000123456789" {
		t.Errorf("it ended at %v", one["endTimeUnixNano"])
	}
	delete(one, "endTimeUnixNano")
	id := strings.Split(own.Parent, "-")
	want := map[string]any{
		"traceId": trace, "parentSpanId": span, "spanId": id[2], "traceState": "v=1", "flags": 769.0, "name": "name", "kind": 5.0,
		"startTimeUnixNano": "1700000000123456789", "status": map[string]any{"code": 2.0},
		"attributes": []any{
			map[string]any{"key": "s", "value": map[string]any{"stringValue": "text"}},
			map[string]any{"key": "i", "value": map[string]any{"intValue": "7"}},
			map[string]any{"key": "b", "value": map[string]any{"boolValue": true}},
			map[string]any{"key": "l", "value": map[string]any{"arrayValue": map[string]any{"values": []any{map[string]any{"stringValue": "p"}, map[string]any{"stringValue": "q"}}}}},
			map[string]any{"key": "error.type", "value": map[string]any{"stringValue": "not_found"}},
		},
	}
	if a, b := asJSON(t, one), asJSON(t, want); a != b {
		t.Errorf("got  %s\nwant %s", a, b)
	}
	if id[1] != trace || own.State != "v=1" {
		t.Errorf("its context is %+v", own)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSpansThatAReceiverCannotTakeNowAreSentAgain(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	url, came := receiver(t, func(w http.ResponseWriter) {
		if tries.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	tracer := newTracer(t, telemetry.TracerOptions{Service: "one", Environ: []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + url + "/own/path", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip"}})
	tracer.Start(telemetry.Context{}, "again", telemetry.Internal).End(nil)
	closed(t, tracer)
	var first []byte
	for range 3 {
		r := <-came
		zip, err := gzip.NewReader(bytes.NewReader(r.body))
		if err != nil || r.path != "/own/path" || r.header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s %v: %v", r.path, r.header, err)
		}
		text, err := io.ReadAll(zip)
		if err != nil || !bytes.Contains(text, []byte(`"name":"again"`)) || first != nil && !bytes.Equal(text, first) {
			t.Fatalf("%s: %v", text, err)
		}
		first = text
	}
}

func TestWhatAReceiverNeverTakesIsLoggedWithoutTheSecret(t *testing.T) {
	t.Parallel()
	url, came := receiver(t, func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) })
	var log bytes.Buffer
	tracer := newTracer(t, telemetry.TracerOptions{
		Service: "one", Endpoint: strings.Replace(url, "http://", "http://me:hidden-password@", 1),
		Environ: []string{"OTEL_EXPORTER_OTLP_HEADERS=x-key=hidden-header"}, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	tracer.Start(telemetry.Context{}, "lost", telemetry.Internal).End(nil)
	closed(t, tracer)
	r := <-came
	if user, password, ok := (&http.Request{Header: r.header}).BasicAuth(); !ok || user != "me" || password != "hidden-password" || r.header.Get("x-key") != "hidden-header" {
		t.Errorf("it was sent with %v", r.header)
	}
	if text := log.String(); !strings.Contains(text, "status 401") || strings.Contains(text, "hidden") {
		t.Errorf("the log is %s", text)
	}
	if len(came) > 0 {
		t.Error("it was sent again")
	}
}

func TestTracingIsOffUnlessSomethingSaysWhereSpansGo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		endpoint string
		environ  []string
		code     wire.Code
		on       bool
	}{
		{environ: []string{"OTEL_SERVICE_NAME=x"}},
		{endpoint: "http://127.0.0.1:1", on: true},
		{environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"}, on: true},
		{environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_SDK_DISABLED=TRUE"}},
		{environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_TRACES_EXPORTER=none"}},
		{environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, code: wire.Unsupported},
		{environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1:1"}, code: wire.Invalid},
		{endpoint: "ftp://x", code: wire.Invalid},
		{endpoint: "http://127.0.0.1:1", environ: []string{"OTEL_EXPORTER_OTLP_HEADERS=a=%zz"}, code: wire.Invalid},
	} {
		tracer, err := telemetry.NewTracer(t.Context(), telemetry.TracerOptions{Service: "one", Endpoint: c.endpoint, Environ: c.environ})
		if (tracer != nil) != c.on || wire.CodeOf(err) != c.code {
			t.Errorf("%q %q: got %v, %v", c.endpoint, c.environ, tracer, err)
		}
		closed(t, tracer)
	}
}

func TestNothingIsDoneWhereNothingIsTraced(t *testing.T) { //nolint:paralleltest // it counts allocations
	var tracer *telemetry.Tracer
	s := tracer.Start(telemetry.Context{Parent: parent}, "x", telemetry.Server)
	s.Set(attribute.Bool("a", true))
	s.End(nil)
	if !s.Context().IsZero() || s != nil {
		t.Errorf("got %+v", s.Context())
	}
	if n := testing.AllocsPerRun(100, func() { tracer.Start(telemetry.Context{}, "x", telemetry.Server).End(nil) }); n != 0 {
		t.Errorf("it takes %v allocations", n)
	}
}
