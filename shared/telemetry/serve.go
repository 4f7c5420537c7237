package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// contentType is that of Prometheus' text format.
const contentType = "text/plain; version=0.0.4; charset=utf-8"

// CheckListen checks an address for metrics. It fails with kind Invalid unless it is
// host:port on loopback.
func CheckListen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return wire.Errorf(wire.Invalid, "is %q; write host:port, such as 127.0.0.1:9464, or port 0 for any free one", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return wire.Errorf(wire.Invalid, "is %q, which other machines could reach; write an address on loopback, such as 127.0.0.1:9464", address)
	}
	return nil
}

// Exposition serves a registry at /metrics.
type Exposition struct {
	address string
	server  *http.Server
	wg      sync.WaitGroup
}

// Expose serves r at an address on loopback. It fails as [CheckListen] does, and with the
// kind of the cause when the address cannot be had. Whoever reaches loopback may read it.
func Expose(ctx context.Context, address string, r *Registry, log *slog.Logger) (*Exposition, error) {
	if err := CheckListen(address); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "serve metrics: the address %w", err)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, wire.Errorf(wire.Unavailable, "serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(r.Text()) // a caller that left needs no answer
	})
	e := &Exposition{address: ln.Addr().String(), server: &http.Server{
		Handler: loopbackOnly(mux), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	e.wg.Go(func() {
		if err := e.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("metrics are no longer served", "error", err)
		}
	})
	return e, nil
}

// loopbackOnly keeps pages in a browser out that have made a name of theirs point here.
func loopbackOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "the Host is not this machine", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Address is where it is served, with the port that was found.
func (e *Exposition) Address() string { return e.address }

// lastAnswer is how long somebody who is being answered has to hear the end of it.
const lastAnswer = 3 * time.Second

// Close ends it. It waits for answers under way, three seconds at most. It is idempotent.
func (e *Exposition) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastAnswer)
	defer cancel()
	err := e.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, e.server.Close())
	}
	e.wg.Wait()
	return err
}
