package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/time/rate"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The pauses between two tries to send the same spans.
const (
	retryFirst = 500 * time.Millisecond
	retryMost  = 8 * time.Second
)

// maxReply is how much of a receiver's answer is read.
const maxReply = 64 << 10

// exporter sends spans as OTLP over HTTP in its JSON form. OpenTelemetry's own exporter
// brings protocol buffers and gRPC along: six more MiB of memory in each provider, of
// which hundreds run, whether they trace or not.
type exporter struct {
	to     target
	client *http.Client
	log    *slog.Logger
	lost   rate.Sometimes
}

func newExporter(to target, log *slog.Logger) *exporter {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, IdleConnTimeout: 30 * time.Second}
	return &exporter{
		to: to, client: &http.Client{Transport: transport}, log: log,
		lost: rate.Sometimes{First: 3, Interval: time.Minute},
	}
}

// ExportSpans implements sdktrace.SpanExporter. It tries again, while ctx allows, what a
// receiver may take later. What is lost in the end is logged here and no error: the SDK
// would give it to a handler that is one for the whole process.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	if err := e.deliver(ctx, spans); err != nil {
		e.lost.Do(func() { e.log.Warn("spans not sent", "spans", len(spans), "to", e.to.url, "error", err) })
	}
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func (e *exporter) deliver(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	body, err := json.Marshal(requestOf(spans))
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	if e.to.gzip {
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		_, err := zip.Write(body)
		if err = errors.Join(err, zip.Close()); err != nil {
			return fmt.Errorf("compress spans: %w", err)
		}
		body = packed.Bytes()
	}
	pause := retryFirst
	for {
		wait, err := e.post(ctx, body)
		if err == nil || wait < 0 {
			return err
		}
		timer := time.NewTimer(max(wait, pause))
		pause = min(2*pause, retryMost)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// post makes one try. After one that failed, wait is how long the receiver wants to be
// left alone at least, and negative when it will never take this.
func (e *exporter) post(ctx context.Context, body []byte) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.to.limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.to.url, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header = e.to.header.Clone()
	req.Header.Set("Content-Type", "application/json")
	if e.to.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return 0, wire.Errorf(wire.Unavailable, "send spans: %w", err)
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply)) // what it took, the status tells
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return 0, refused(said)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // else it does not say
		return time.Duration(max(seconds, 0)) * time.Second, wire.Errorf(wire.Unavailable, "send spans: the receiver answered with status %d", resp.StatusCode)
	}
	return -1, wire.Errorf(wire.Invalid, "send spans: the receiver answered with status %d", resp.StatusCode)
}
