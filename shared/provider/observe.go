package provider

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func (t *TelemetrySettings) check() error {
	for key, endpoint := range map[string]string{"endpoint": t.Endpoint, "runtimeEndpoint": t.RuntimeEndpoint} {
		if endpoint == "" {
			continue
		}
		if err := telemetry.CheckEndpoint(endpoint); err != nil {
			return wire.Errorf(wire.Invalid, "configuration: telemetry.%s %w", key, err)
		}
		if u, err := url.Parse(endpoint); err == nil && u.User != nil { // agents see it
			return wire.Errorf(wire.Invalid, "configuration: telemetry.%s has a user or password in it; put those into OTEL_EXPORTER_OTLP_HEADERS", key)
		}
	}
	return nil
}

func (m *MetricsSettings) check() error {
	if m.Listen == "" {
		return nil
	}
	if err := telemetry.CheckListen(m.Listen); err != nil {
		return wire.Errorf(wire.Invalid, "configuration: metrics.listen %w", err)
	}
	return nil
}

// traced are the variables by which the environment's runtime traces too. What is in the
// provider's own environment a runtime on this machine has anyway.
func (h *Host) traced() []string {
	endpoint := h.set.Telemetry.RuntimeEndpoint
	_, local := h.spec.Launcher.(runtime.Local)
	if endpoint == "" && local {
		endpoint = h.set.Telemetry.Endpoint
	}
	if inherited := local && telemetry.Enabled(os.Environ()); endpoint == "" && !inherited {
		return nil
	}
	about := "codebolt.provider.id=" + url.PathEscape(h.Record().ProviderID)
	if more := os.Getenv("OTEL_RESOURCE_ATTRIBUTES"); more != "" && local {
		about = more + "," + about
	}
	env := []string{"OTEL_RESOURCE_ATTRIBUTES=" + about}
	if endpoint != "" {
		env = append(env, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=")
	}
	return env
}

// observation is what a session traces and counts while an environment is open, and
// afterwards. A nil one does neither; its methods may be called all the same.
type observation struct {
	observed // what it was begun for

	tracer *telemetry.Tracer
	*meters

	shown *telemetry.Exposition // nil without metrics
	mu    sync.Mutex
	file  string // that names it; "" while there is none
}

// observed is what an observation is of.
type observed struct {
	telemetry                         TelemetrySettings
	metrics                           MetricsSettings
	environment, environmentID, owner string
}

// traces is the tracer; nil is none.
func (o *observation) traces() *telemetry.Tracer {
	if o == nil {
		return nil
	}
	return o.tracer
}

// observe begins to trace and count as an open asks for. What does not work is no reason
// not to open an environment.
func (s *session) observe(req *OpenRequest) {
	now := s.observed.Load()
	of := observed{req.Settings.Telemetry, req.Settings.Metrics, req.EnvironmentName, req.EnvironmentID, req.ProviderID}
	if now != nil && now.observed == of {
		return
	}
	now.close(s.log)
	next := &observation{observed: of}
	var err error
	next.tracer, err = telemetry.NewTracer(s.ctx, telemetry.TracerOptions{
		Service: "codebolt-provider-" + s.manifest.Name, Endpoint: next.telemetry.Endpoint, Environ: s.environ(), Log: req.Log,
		Attributes: []attribute.KeyValue{
			attribute.String("service.version", build.Get().Version),
			attribute.String("codebolt.environment.name", req.EnvironmentName), attribute.String("codebolt.environment.id", req.EnvironmentID),
			attribute.String("codebolt.provider.id", req.ProviderID),
		},
	})
	if err != nil {
		req.Warn("nothing is traced: " + err.Error())
	}
	if next.metrics.Listen != "" {
		m := newMeters(s)
		next.shown, err = telemetry.Expose(s.ctx, next.metrics.Listen, m.registry, s.log)
		if err != nil {
			req.Warn("no metrics are shown: " + err.Error())
		} else {
			next.meters = m
			req.Log.Info("metrics", "address", next.shown.Address())
		}
	}
	if next.tracer == nil && next.meters == nil {
		next = nil
	}
	s.observed.Store(next)
}

// environ is the process environment as os.Environ gives it.
func (s *session) environ() (pairs []string) {
	for name, value := range s.env {
		pairs = append(pairs, name+"="+value)
	}
	return pairs
}

// MetricsFile is the file in an environment's private directory (see [RunDir]) that tells
// where its provider shows metrics: a [MetricsPlace] as JSON.
const MetricsFile = "metrics"

// MetricsPlace says where the provider of an environment shows metrics. One that was
// killed leaves it behind: who reads it compares the process.
type MetricsPlace struct {
	Address string `json:"address"` // host:port
	PID     int    `json:"pid"`
	Started string `json:"started"` // see resource.ProcessStarted
}

// publish tells where metrics are shown.
func (o *observation) publish(dir string, log *slog.Logger) {
	if o == nil || o.shown == nil {
		return
	}
	place := MetricsPlace{Address: o.shown.Address(), PID: os.Getpid()}
	place.Started, _ = resource.ProcessStarted(place.PID)
	text, err := wire.Marshal(place)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	path := filepath.Join(dir, MetricsFile)
	if err == nil {
		err = resource.WriteFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		log.Warn("where metrics are shown is not on record", "error", err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.file = path
}

// withdraw takes publish back.
func (o *observation) withdraw() {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != "" {
		_ = os.Remove(o.file) // it may have gone with its folder
		o.file = ""
	}
}

// lastSpans is how long a session stays to send what it has traced.
const lastSpans = 2 * time.Second

// close ends it, and sends what was traced.
func (o *observation) close(log *slog.Logger) {
	if o == nil {
		return
	}
	o.withdraw()
	if o.shown != nil {
		if err := o.shown.Close(); err != nil {
			log.Debug("metrics ended", "error", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastSpans)
	defer cancel()
	if err := o.tracer.Close(ctx); err != nil {
		log.Debug("tracing ended", "error", err)
	}
}
