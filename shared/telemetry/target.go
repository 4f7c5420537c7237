package telemetry

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// exportLimit is how long one try to send spans may take, unless the environment says
// otherwise.
const exportLimit = 10 * time.Second

// target is where spans go.
type target struct {
	url    string
	header http.Header // may hold secrets: never logged
	limit  time.Duration
	gzip   bool
}

// Enabled reports whether an environment, as os.Environ gives it, says where spans go.
func Enabled(pairs []string) bool {
	env := environ(pairs)
	return first(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") != ""
}

// CheckEndpoint checks the base URL of a receiver. It fails with kind Invalid and never
// shows the URL, which may have a password in it.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return wire.Errorf(wire.Invalid, "is no http or https URL; write one such as http://127.0.0.1:4318")
	}
	return nil
}

// targetOf decides where spans go: nil is nowhere. A configured endpoint counts before
// the variables, and those for traces before those for everything.
func targetOf(configured string, env map[string]string) (*target, error) {
	if strings.EqualFold(env["OTEL_SDK_DISABLED"], "true") || env["OTEL_TRACES_EXPORTER"] == "none" {
		return nil, nil //nolint:nilnil // nowhere
	}
	var endpoint, from string
	whole := false // it is not only the base
	switch {
	case configured != "":
		endpoint, from = configured, "the endpoint"
	case env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] != "":
		from, whole = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", true
		endpoint = env[from]
	case env["OTEL_EXPORTER_OTLP_ENDPOINT"] != "":
		from = "OTEL_EXPORTER_OTLP_ENDPOINT"
		endpoint = env[from]
	default:
		return nil, nil //nolint:nilnil // nowhere
	}
	if err := CheckEndpoint(endpoint); err != nil {
		return nil, wire.Errorf(wire.Invalid, "begin tracing: %s %w", from, err)
	}
	if protocol := first(env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol == "grpc" {
		return nil, wire.Errorf(wire.Unsupported, "begin tracing: the protocol grpc is not spoken here; name the receiver's HTTP endpoint and http/json")
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, wire.Errorf(wire.Invalid, "begin tracing: %s is no URL", from)
	}
	if !whole {
		u = u.JoinPath("v1", "traces")
	}
	t := &target{header: http.Header{}, limit: exportLimit}
	if u.User != nil { // it would stand in every error
		password, _ := u.User.Password()
		r := http.Request{Header: t.header}
		r.SetBasicAuth(u.User.Username(), password)
		u.User = nil
	}
	t.url = u.String()
	// Each of these lists is a secret as a rule.
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for _, pair := range strings.Split(env[name], ",") {
			key, value, ok := strings.Cut(pair, "=")
			if key = strings.TrimSpace(key); !ok || key == "" {
				continue
			}
			text, err := url.PathUnescape(strings.TrimSpace(value))
			if err != nil {
				return nil, wire.Errorf(wire.Invalid, "begin tracing: %s is not to be read; write name=value,name=value with percent signs escaped", name)
			}
			t.header.Set(key, text)
		}
	}
	if text := first(env, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"); text != "" {
		if ms, err := strconv.Atoi(text); err == nil && ms > 0 {
			t.limit = time.Duration(ms) * time.Millisecond
		}
	}
	t.gzip = first(env, "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION") == "gzip"
	return t, nil
}

// first is the first of these variables that has a value.
func first(env map[string]string, names ...string) string {
	for _, name := range names {
		if env[name] != "" {
			return env[name]
		}
	}
	return ""
}
