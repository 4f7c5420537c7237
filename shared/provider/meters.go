package provider

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const metricsPrefix = "codebolt_provider_"

// MetricLastHeartbeat is the name of the number that tells when a provider last sent a
// heartbeat, in seconds since 1970.
const MetricLastHeartbeat = metricsPrefix + "last_heartbeat_timestamp_seconds"

// The values of labels.
const (
	peerServer  = "server"
	peerRuntime = "runtime"
	toServer    = "to_server"
	toRuntime   = "to_runtime"
	outcomeOK   = "ok"
)

// requestBuckets are the bounds of request durations, in seconds: from what a local file
// takes to what a review may.
var requestBuckets = []float64{0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 120}

// meters are the numbers of a session. Its types of requests are those of the table, so
// that there are no more than it has rows.
type meters struct {
	registry   *telemetry.Registry
	requests   *telemetry.Counter
	durations  *telemetry.Histogram
	messages   *telemetry.Counter
	bytes      *telemetry.Counter
	reconnects *telemetry.Counter
	heartbeats *telemetry.Counter
	beaten     *atomic.Int64 // when the last was sent; seconds since 1970, 0 for never
}

func newMeters(s *session) *meters {
	r := &telemetry.Registry{}
	m := &meters{
		registry:   r,
		beaten:     new(atomic.Int64),
		requests:   r.Counter(metricsPrefix+"requests_total", "Requests of the server by type and outcome: ok or the kind of the error.", "type", "outcome"),
		durations:  r.Histogram(metricsPrefix+"request_duration_seconds", "Time from a request's arrival to its answer.", requestBuckets, "type"),
		messages:   r.Counter(metricsPrefix+"messages_relayed_total", "Messages passed on between server and runtime.", "direction"),
		bytes:      r.Counter(metricsPrefix+"relayed_bytes_total", "Bytes of messages passed on between server and runtime.", "direction"),
		reconnects: r.Counter(metricsPrefix+"reconnects_total", "Connections made anew after one broke.", "peer"),
		heartbeats: r.Counter(metricsPrefix+"heartbeats_sent_total", "Heartbeats sent to the server.", "of"),
	}
	for _, direction := range []string{toServer, toRuntime} {
		m.messages.Add(0, direction)
		m.bytes.Add(0, direction)
	}
	m.reconnects.Add(0, peerServer)
	m.reconnects.Add(0, peerRuntime)
	r.Func(func(w *telemetry.Writer) {
		writeState(w, s)
		if last := m.beaten.Load(); last != 0 {
			w.Gauge(MetricLastHeartbeat, "When the last heartbeat was sent, since unix epoch in seconds.", float64(last))
		}
	})
	r.Process("")
	r.Func(func(w *telemetry.Writer) { w.Raw(runtimeMetrics(s)) })
	return m
}

// writeState tells how the session stands.
func writeState(w *telemetry.Writer, s *session) {
	const state = metricsPrefix + "environment_state"
	w.Family(state, "gauge", "1 for the state that the environment is in.")
	is := s.life.is()
	for each := idle; each <= failed; each++ {
		value := 0.0
		if each == is {
			value = 1
		}
		w.Sample(state, value, "state", each.String())
	}
	const outbox = metricsPrefix + "outbox_messages"
	w.Family(outbox, "gauge", "Messages that wait to be sent.")
	w.Sample(outbox, float64(s.link.Status().Queued), "peer", peerServer)
	waiting := 0
	if o := s.life.current.Load(); o != nil && o.bridge != nil {
		w.Sample(outbox, float64(o.bridge.client.Status().Queued), "peer", peerRuntime)
		waiting = o.bridge.relay.waiting()
	}
	w.Gauge(metricsPrefix+"relay_waiting_bytes", "Bytes that the runtime has said and the server has no room for yet.", float64(waiting))
}

// waiting is how many bytes wait to be passed on.
func (r *relay) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// runtimeMetrics are those of the environment's runtime, wherever it runs: it is asked
// through the connection that there is to it, so that it needs no port of its own. One
// that does not answer has none.
func runtimeMetrics(s *session) []byte {
	o := s.life.current.Load()
	if o == nil || o.bridge == nil || o.bridge.access.Plain {
		return nil
	}
	text, err := runtime.Caller{Dial: o.bridge.access.Dial, Token: o.bridge.access.Token}.Metrics(context.WithoutCancel(s.ctx))
	if err != nil {
		s.log.Debug("metrics of the runtime", "error", err)
		return nil
	}
	return text
}

// counts reports whether numbers are kept.
func (o *observation) counts() bool { return o != nil && o.meters != nil }

// answered counts a request of the table.
func (o *observation) answered(typ string, took time.Duration, err error) {
	if !o.counts() {
		return
	}
	outcome := outcomeOK
	if err != nil {
		outcome = kindOf(err)
	}
	o.requests.Add(1, typ, outcome)
	o.durations.Observe(took.Seconds(), typ)
}

// kindOf is the kind of an error, of which there are no more than are known here.
func kindOf(err error) string {
	switch code := wire.CodeOf(err); code {
	case wire.NotFound, wire.Exists, wire.OutsideWorkspace, wire.NotRunning, wire.Unsupported, wire.Conflict, wire.Invalid,
		wire.Permission, wire.Unavailable, wire.TooLarge, wire.Timeout, wire.Internal:
		return string(code)
	default:
		return "other"
	}
}

// relayed counts a message that is passed on.
func (o *observation) relayed(direction string, size int) {
	if o.counts() {
		o.messages.Add(1, direction)
		o.bytes.Add(uint64(size), direction)
	}
}

// reconnected counts a connection that is not the first.
func (o *observation) reconnected(peer string) {
	if o.counts() {
		o.reconnects.Add(1, peer)
	}
}

// beat counts a heartbeat.
func (o *observation) beat(message any) {
	if !o.counts() {
		return
	}
	o.beaten.Store(time.Now().Unix())
	switch message.(type) {
	case wire.ProviderHeartbeat:
		o.heartbeats.Add(1, "provider")
	case wire.EnvironmentHeartbeat:
		o.heartbeats.Add(1, "environment")
	}
}
