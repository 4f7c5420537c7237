package provider

import (
	"slices"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// elsewhere launches runtimes that are no processes of this machine.
type elsewhere struct{ runtime.Launcher }

func TestARuntimeElsewhereTracesOnlyWhereItWasToldTo(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "team=a")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
	const here, there = "OTEL_EXPORTER_OTLP_ENDPOINT=http://here", "OTEL_EXPORTER_OTLP_ENDPOINT=http://there"
	for _, c := range []struct {
		name      string
		launcher  runtime.Launcher
		telemetry TelemetrySettings
		inherited bool
		want      string // "" is nothing at all, "-" no endpoint of its own
	}{
		{"off", runtime.Local{}, TelemetrySettings{}, false, ""},
		{"off elsewhere", elsewhere{}, TelemetrySettings{}, false, ""},
		{"here", runtime.Local{}, TelemetrySettings{Endpoint: "http://here"}, false, here},
		{"elsewhere", elsewhere{}, TelemetrySettings{Endpoint: "http://here"}, false, ""},
		{"elsewhere and told", elsewhere{}, TelemetrySettings{Endpoint: "http://here", RuntimeEndpoint: "http://there"}, false, there},
		{"here in another network", runtime.Local{}, TelemetrySettings{Endpoint: "http://here", RuntimeEndpoint: "http://there"}, false, there},
		{"from the environment", runtime.Local{}, TelemetrySettings{}, true, "-"},
		{"from the environment, elsewhere", elsewhere{}, TelemetrySettings{}, true, ""},
	} {
		if c.inherited {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://inherited")
		}
		h := &Host{spec: HostSpec{Launcher: c.launcher}, set: Settings{Telemetry: c.telemetry}, rec: resource.Record{ProviderID: "p,1"}}
		env := h.traced()
		if (len(env) == 0) != (c.want == "") || strings.HasPrefix(c.want, "OTEL") && !slices.Contains(env, c.want) || c.want == "-" && len(env) != 1 {
			t.Errorf("%s: got %q", c.name, env)
		}
		if about := "codebolt.provider.id=p%2C1"; len(env) > 0 && !strings.HasSuffix(env[0], about) {
			t.Errorf("%s: %q does not end in %s", c.name, env[0], about)
		}
		if _, local := c.launcher.(runtime.Local); len(env) > 0 && strings.Contains(env[0], "team=a") != local {
			t.Errorf("%s: it is told of %q", c.name, env[0])
		}
	}
}

func TestSettingsOfWhatIsWatchedAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		set  Settings
		says string
	}{
		{Settings{Telemetry: TelemetrySettings{Endpoint: "http://127.0.0.1:4318", RuntimeEndpoint: "https://x/y"}, Metrics: MetricsSettings{Listen: "[::1]:0"}}, ""},
		{Settings{Telemetry: TelemetrySettings{Endpoint: "127.0.0.1:4318"}}, "telemetry.endpoint is no http or https URL"},
		{Settings{Telemetry: TelemetrySettings{RuntimeEndpoint: "http://me:secret-word@x"}}, "telemetry.runtimeEndpoint has a user or password in it"},
		{Settings{Metrics: MetricsSettings{Listen: "9464"}}, `metrics.listen is "9464"; write host:port`},
		{Settings{Metrics: MetricsSettings{Listen: "10.0.0.1:9464"}}, "other machines could reach"},
	} {
		err := c.set.check()
		if c.says == "" && err == nil {
			continue
		}
		if err == nil || wire.CodeOf(err) != wire.Invalid || c.says == "" || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%+v: got %v, want %q", c.set, err, c.says)
		}
	}
}

func TestWhatIsNotWatchedCostsNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	s := &session{}
	verb, head := wire.Verb{Type: wire.TypeReadFile, Kind: wire.File}, wire.Header{Type: wire.TypeReadFile, RequestID: "r"}
	frame := []byte(`{"type":"providerReadFile","requestId":"r","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`)
	each := func() {
		s.arrived(verb, head, frame).end(nil)
		s.observed.Load().relayed(toServer, len(frame))
		s.observed.Load().beat(nil)
	}
	if n := testing.AllocsPerRun(1000, each); n != 0 {
		t.Errorf("a request takes %v allocations", n)
	}
}

func BenchmarkARequestThatIsNotWatched(b *testing.B) {
	s := &session{}
	verb, head := wire.Verb{Type: wire.TypeReadFile, Kind: wire.File}, wire.Header{Type: wire.TypeReadFile, RequestID: "r"}
	for b.Loop() {
		s.arrived(verb, head, nil).end(nil)
	}
}
