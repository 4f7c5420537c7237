//go:build unix

package stage

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Span is a span as OTLP has it in JSON.
type Span struct {
	Service      string `json:"-"` // its resource's
	Environment  string `json:"-"`
	TraceID      string `json:"traceId"`
	SpanID       string `json:"spanId"`
	ParentSpanID string `json:"parentSpanId"`
	Name         string `json:"name"`
	Kind         int    `json:"kind"`
	Start        string `json:"startTimeUnixNano"`
	End          string `json:"endTimeUnixNano"`
	Attributes   []attr `json:"attributes"`
	Status       struct {
		Code int `json:"code"`
	} `json:"status"`
}

type attr struct {
	Key   string `json:"key"`
	Value struct {
		Text string `json:"stringValue"`
	} `json:"value"`
}

// Receiver takes spans as an OTLP/HTTP receiver does.
type Receiver struct {
	URL string // the endpoint

	mu    sync.Mutex
	spans []Span
	raw   []byte
	moved chan struct{}
}

// NewReceiver starts a receiver for the time of the test.
func NewReceiver(t *testing.T) *Receiver {
	r := &Receiver{moved: make(chan struct{}, 1)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("spans came to %s as %s: %v", req.URL.Path, req.Header.Get("Content-Type"), err)
		}
		if err := r.take(body); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}))
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *Receiver) take(body []byte) error {
	var request struct {
		ResourceSpans []struct {
			Resource struct {
				Attributes []attr `json:"attributes"`
			} `json:"resource"`
			ScopeSpans []struct {
				Spans []Span `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw = append(r.raw, body...)
	for _, of := range request.ResourceSpans {
		about := map[string]string{}
		for _, a := range of.Resource.Attributes {
			about[a.Key] = a.Value.Text
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				s.Service, s.Environment = about["service.name"], about["codebolt.environment.name"]
				r.spans = append(r.spans, s)
			}
		}
	}
	select {
	case r.moved <- struct{}{}:
	default:
	}
	return nil
}

// Raw is all that came.
func (r *Receiver) Raw() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.raw)
}

// All are the spans of a name so far.
func (r *Receiver) All(name string) (all []Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.Name == name {
			all = append(all, s)
		}
	}
	return all
}

// Await waits for a span of this name and service, of this trace.
func (r *Receiver) Await(t *testing.T, service, name, trace string) Span {
	t.Helper()
	timeout := time.After(60 * time.Second)
	for {
		for _, s := range r.All(name) {
			if s.Service == service && s.TraceID == trace {
				return s
			}
		}
		select {
		case <-r.moved:
		case <-timeout:
			t.Fatalf("no span %q of %s in trace %s came; what came: %s", name, service, trace, r.Raw())
		}
	}
}
