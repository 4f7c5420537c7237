package runtime

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Handle is a running runtime, wherever it runs. Its methods are safe for
// concurrent use.
type Handle interface {
	// Adopted tells that the runtime was found rather than started.
	Adopted() bool
	// Record is how to find this runtime again with [Launcher].Adopt.
	Record() resource.RuntimeRecord
	// URL is where the runtime listens, for the server to be told.
	URL() string
	// Token is what the runtime demands; "" for an upstream one.
	Token() string
	// Done is closed when the runtime has ended.
	Done() <-chan struct{}
	// Err is why the runtime has ended, as far as that is known: nil before, and
	// when there is nothing to tell.
	Err() error
	// Dial opens a byte stream to the runtime's listener.
	Dial(ctx context.Context) (net.Conn, error)
	// Agents is how many agents run in it now.
	Agents(ctx context.Context) (int, error)
	// Release lets go of the runtime without stopping it. It is idempotent.
	Release()
	// Stop ends the runtime and its agents: in good order within grace, else by
	// force. It is idempotent, and returns when the runtime has ended.
	Stop(ctx context.Context, grace time.Duration) error
}

// Launcher starts the runtimes of one environment, and finds them again.
type Launcher interface {
	// Start starts a runtime and waits until it listens. What an earlier one left
	// running is ended first. When it fails, no runtime is left.
	Start(ctx context.Context, spec Spec) (Handle, error)
	// Adopt finds the runtime that rec tells of. It fails with kind NotFound when
	// that one no longer runs, or does not prove that it is the one.
	Adopt(ctx context.Context, spec Spec, rec resource.RuntimeRecord) (Handle, error)
}

// Local launches runtimes as processes of this machine, with [Start] and [Adopt].
type Local struct{}

// Start implements Launcher.
func (Local) Start(ctx context.Context, spec Spec) (Handle, error) {
	p, err := Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Adopt implements Launcher.
func (Local) Adopt(ctx context.Context, spec Spec, rec resource.RuntimeRecord) (Handle, error) {
	p, err := Adopt(ctx, spec, rec)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// healthLimit bounds a look at a runtime's health, unless the caller does.
const healthLimit = 2 * time.Second

// Caller makes HTTP calls of a runtime over connections of its own; for
// launchers. It is safe for concurrent use.
type Caller struct {
	Dial  func(ctx context.Context) (net.Conn, error)
	Token string // "" for runtimes that ask for none
	// Transport, made by [NewTransport], uses a connection for several calls; nil
	// opens one for each.
	Transport *http.Transport
	// Limit bounds Health; 0 is two seconds. Where a connection takes a process to
	// be started, a busy machine may need more.
	Limit time.Duration
}

// keptFor is how long a connection that is not used is kept for the next call.
const keptFor = 3 * time.Second

// NewTransport is a Transport for calls by connections that take long to open.
func NewTransport(dial func(ctx context.Context) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		IdleConnTimeout: keptFor, MaxIdleConns: 1,
	}
}

// Health asks the runtime how it is, and answers within Limit.
func (c Caller) Health(ctx context.Context) (wire.RuntimeHealth, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Limit, healthLimit))
	defer cancel()
	var h wire.RuntimeHealth
	body, err := c.request(ctx, http.MethodGet, "/health")
	if err == nil {
		err = json.Unmarshal(body, &h)
	}
	if err != nil {
		return h, fmt.Errorf("health of the runtime: %w", err)
	}
	return h, nil
}

// Status asks the runtime what runs in it, and answers within Limit. Another agent server
// than codebolt-runtime does not tell, which is an error.
func (c Caller) Status(ctx context.Context) (wire.RuntimeStatus, error) {
	var st wire.RuntimeStatus
	body, err := c.look(ctx, "/status")
	if err == nil {
		err = wire.Unmarshal(body, &st)
	}
	if err != nil {
		return st, fmt.Errorf("status of the runtime: %w", err)
	}
	return st, nil
}

// Metrics are the runtime's numbers in Prometheus' text format. It answers and fails as
// Status does.
func (c Caller) Metrics(ctx context.Context) ([]byte, error) {
	body, err := c.look(ctx, "/metrics")
	if err != nil {
		return nil, fmt.Errorf("metrics of the runtime: %w", err)
	}
	return body, nil
}

func (c Caller) look(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Limit, healthLimit))
	defer cancel()
	return c.request(ctx, http.MethodGet, path)
}

// Shutdown asks the runtime to end. It returns when the runtime has said that it
// will.
func (c Caller) Shutdown(ctx context.Context) error {
	_, err := c.request(ctx, http.MethodPost, "/shutdown")
	return err
}

// request makes one HTTP call of the runtime.
func (c Caller) request(ctx context.Context, method, path string) ([]byte, error) {
	transport := c.Transport
	if transport == nil {
		transport = NewTransport(c.Dial)
		transport.DisableKeepAlives = true
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://runtime"+path, nil)
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode >= 300 {
		err = wire.Errorf(wire.Unavailable, "the runtime answered %s with status %d", path, resp.StatusCode)
	}
	return body, err
}
