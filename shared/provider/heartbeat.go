package provider

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// checkEvery is how often the environment's health is looked at.
	checkEvery = 5 * time.Second
	// checkLimit is how long one look may take before it counts as a finding.
	checkLimit = 2 * time.Second
)

// heart beats while an environment is being started or open: the provider's
// heartbeat at once, at every change of status and every ten seconds, the
// environment's at once and every fifteen. A health check that hangs is itself a
// finding and never delays a beat.
type heart struct {
	s          *session
	restarting atomic.Bool

	mu      sync.Mutex
	stop    context.CancelFunc // nil while it does not beat
	begun   time.Time
	checked Health // of the environment, by the last check
	wg      sync.WaitGroup
}

// stateChanged starts and stops the beating.
func (h *heart) stateChanged(to state) {
	switch to {
	case starting, running:
		h.start()
		if to == running {
			h.s.heartNow()
		}
	case stopping:
		h.s.heartNow()
	case idle, stopped:
		h.end()
	case failed:
		if h.s.life.current.Load() == nil {
			h.end() // nothing is open, so nothing beats
		} else {
			h.s.heartNow()
		}
	}
}

func (h *heart) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(h.s.ctx)
	h.stop, h.begun = cancel, time.Now()
	h.checked = Health{Status: wire.Healthy}
	h.wg.Go(func() { h.beat(ctx) })
	h.wg.Go(func() { h.watch(ctx) })
}

// beats reports whether heartbeats are due.
func (h *heart) beats() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stop != nil
}

func (h *heart) end() {
	h.mu.Lock()
	stop := h.stop
	h.stop = nil
	h.mu.Unlock()
	if stop != nil {
		stop()
	}
}

func (h *heart) beat(ctx context.Context) {
	provider := time.NewTicker(wire.ProviderHeartbeatInterval)
	defer provider.Stop()
	environment := time.NewTicker(wire.EnvironmentHeartbeatInterval)
	defer environment.Stop()
	h.s.heartNow()
	for {
		select {
		case <-ctx.Done():
			return
		case <-provider.C:
			h.s.sendBeat(h.provider())
		case <-environment.C:
			h.environment()
		}
	}
}

// watch looks at the environment's health and reports a change at once.
func (h *heart) watch(ctx context.Context) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	var (
		answer chan Health // of the look that is under way; nil when none is
		limit  <-chan time.Time
	)
	last := h.health().Status
	for {
		select {
		case <-ctx.Done():
			return
		case found := <-answer:
			answer, limit = nil, nil
			h.note(found)
		case <-limit:
			limit = nil
			h.note(Health{Status: wire.Degraded, Reasons: []string{fmt.Sprintf("the health check takes longer than %v", checkLimit)}})
		case <-ticker.C:
			// While one look hangs there is no other: each could keep a thread.
			if o := h.s.life.current.Load(); o != nil && answer == nil {
				answer, limit = make(chan Health, 1), time.After(checkLimit)
				go func(to chan<- Health) { to <- h.look(ctx, o.env) }(answer)
			}
		}
		if now := h.health().Status; now != last {
			last = now
			h.s.heartNow()
		}
	}
}

func (h *heart) note(found Health) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checked = found
}

// look asks the environment how it is.
func (h *heart) look(ctx context.Context, env Environment) (found Health) {
	defer func() {
		if p := recover(); p != nil {
			h.s.log.Error("panic", "in", "health", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			found = Health{Status: wire.Degraded, Reasons: []string{"the health check failed with an internal error"}}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	return env.Health(ctx)
}

// health is the status as a heartbeat tells it.
func (h *heart) health() Health {
	h.mu.Lock()
	found := h.checked
	h.mu.Unlock()
	switch h.s.life.is() {
	case idle, stopped:
		return Health{Status: wire.Failing, Reasons: []string{"no environment is open"}}
	case starting:
		return Health{Status: wire.Degraded, Reasons: []string{"starting"}}
	case stopping:
		return Health{Status: wire.Degraded, Reasons: []string{"stopping"}}
	case failed:
		return Health{Status: wire.Failing, Reasons: []string{"the last start or stop failed"}}
	case running:
	}
	if o := h.s.life.current.Load(); o != nil && o.bridge != nil {
		found = found.Worse(o.bridge.health())
	}
	if found.Status == "" {
		found.Status = wire.Healthy
	}
	return found
}

func (h *heart) provider() wire.ProviderHeartbeat {
	ids, health := h.s.identity(), h.health()
	o := h.s.life.current.Load()
	beat := wire.ProviderHeartbeat{
		Type: wire.TypeProviderHeartbeat, ProviderID: ids.provider, Timestamp: wire.Now(), Status: health.Status,
		ConnectedEnvironments: []string{}, Uptime: h.uptime(), RequestID: wire.NewID(),
		Metadata: &wire.HeartbeatMetadata{Transport: "websocket", Initialized: o != nil, State: h.s.life.is().String(), Reasons: slices.Clip(health.Reasons)},
	}
	if o != nil {
		beat.ConnectedEnvironments = []string{ids.environment}
		beat.Metadata.Transport = o.result.Transport
	}
	return beat
}

func (h *heart) uptime() *int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	seconds := int64(0)
	if !h.begun.IsZero() {
		seconds = int64(time.Since(h.begun).Seconds())
	}
	return &seconds
}

// environment sends the environment's heartbeat when one is open.
func (h *heart) environment() {
	if h.s.life.current.Load() == nil {
		return
	}
	ids := h.s.identity()
	h.s.sendBeat(wire.EnvironmentHeartbeat{
		Type: wire.TypeEnvironmentHeartbeat, EnvironmentID: ids.environment, ProviderID: ids.provider,
		Timestamp: wire.Now(), EnvironmentAlive: h.health().Status != wire.Failing, RequestID: wire.NewID(),
	})
}

// answer answers providerHeartbeatRequest.
func (h *heart) answer(id wire.ID, req *wire.HeartbeatRequest) wire.ProviderHeartbeat {
	beat := h.provider()
	beat.RequestID, beat.Uptime, beat.Metadata = id.OrNew(), nil, nil
	if req.ProviderID != "" {
		beat.ProviderID = req.ProviderID
	}
	return beat
}

// status answers an inbound environmentHeartbeat.
func (h *heart) status(id wire.ID, req *wire.HeartbeatRequest) wire.EnvironmentStatus {
	ids, health := h.s.identity(), h.health()
	st := wire.EnvironmentStatus{
		Type: "environmentHeartbeatResponse", EnvironmentID: req.EnvironmentID,
		Status: wire.EnvironmentActive, RemoteExecutorStatus: wire.ExecutorRunning,
		Timestamp: wire.Now(), RequestID: id.OrNew(),
	}
	if st.EnvironmentID == "" {
		st.EnvironmentID = ids.environment
	}
	o := h.s.life.current.Load()
	switch {
	case req.EnvironmentID != "" && req.EnvironmentID != ids.environment:
		st.Status, st.RemoteExecutorStatus = wire.EnvironmentUnreachable, wire.ExecutorError
		st.Metadata = &wire.HeartbeatMetadata{Error: fmt.Sprintf("this provider does not have the environment %q", req.EnvironmentID)}
		return st
	case o == nil:
		st.Status, st.RemoteExecutorStatus = wire.EnvironmentUnreachable, wire.ExecutorStopped
	case health.Status == wire.Failing:
		st.Status, st.RemoteExecutorStatus = wire.EnvironmentUnreachable, wire.ExecutorError
	case health.Status == wire.Degraded:
		st.Status = wire.EnvironmentDegraded
	}
	switch {
	case h.restarting.Load():
		st.RemoteExecutorStatus = wire.ExecutorRestarting
	case h.s.life.is() == starting:
		st.Status, st.RemoteExecutorStatus = wire.EnvironmentDegraded, wire.ExecutorStarting
	case o != nil && (o.bridge == nil):
		st.RemoteExecutorStatus = wire.ExecutorStopped // agents run in the server's pool
	case o != nil && !o.bridge.up():
		st.RemoteExecutorStatus = wire.ExecutorError
	}
	if len(health.Reasons) > 0 {
		st.Metadata = &wire.HeartbeatMetadata{Initialized: o != nil, State: h.s.life.is().String(), Reasons: health.Reasons}
	}
	return st
}
