package server

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// subscriber is a function that sees frames.
type subscriber struct {
	f        func(wire.Header, []byte)
	canceled atomic.Bool
}

// Subscribe lets f see every frame of the provider that answers no call, in the
// order of arrival, whatever connection or process it comes from: what runtime
// and agents say, notifications, heartbeats, answers that come twice or too
// late. A frame that is no JSON object has the zero header. It may be called
// before the environment is started.
//
// The function is called on the goroutine that reads the connection. It must not
// call methods that wait for the provider, and while it does not return nothing
// more is read. It must not change the frame, and may keep it. After cancel has
// returned no further call begins.
func (e *Environment) Subscribe(f func(head wire.Header, frame []byte)) (cancel func()) {
	sub := &subscriber{f: f}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subscribers = append(slices.Clone(e.subscribers), sub)
	return func() {
		sub.canceled.Store(true)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.subscribers = slices.DeleteFunc(slices.Clone(e.subscribers), func(s *subscriber) bool { return s == sub })
	}
}

// receive handles one frame of the provider, on the goroutine that reads.
func (e *Environment) receive(c *connection, frame []byte) {
	head, err := wire.Peek(frame)
	if err != nil {
		e.server.log.Warn("the provider sent no message", "env", e.spec.Name, "error", err)
	}
	switch head.Type {
	case wire.TypeProviderHeartbeat:
		e.beat(c, frame)
	case wire.TypeSetResourceID:
		var set wire.SetResourceID
		if err := wire.Unmarshal(frame, &set); err != nil {
			e.server.log.Warn("malformed setResourceId", "env", e.spec.Name, "error", err)
			break
		}
		if set.EnvironmentID != "" && set.EnvironmentID != e.spec.ID && set.EnvironmentID != e.spec.Name {
			e.server.log.Warn("setResourceId for another environment", "env", e.spec.Name, "other", set.EnvironmentID)
			break
		}
		e.mu.Lock()
		e.setResourceID(set.ResourceID)
		e.mu.Unlock()
	}
	if e.claim(head, frame) {
		return
	}
	e.mu.Lock()
	subscribers := e.subscribers
	e.mu.Unlock()
	for _, sub := range subscribers {
		if !sub.canceled.Load() {
			sub.f(head, frame)
		}
	}
}

// beat notes and acknowledges a heartbeat.
func (e *Environment) beat(c *connection, frame []byte) {
	now := time.Now()
	e.mu.Lock()
	e.lastBeat = now
	e.mu.Unlock()
	var beat struct {
		ProviderID string `json:"providerId"`
	}
	if err := wire.Unmarshal(frame, &beat); err != nil {
		e.server.log.Warn("malformed heartbeat", "env", e.spec.Name, "error", err)
	}
	ack, err := wire.Marshal(wire.HeartbeatAck{
		Header: wire.Header{Type: wire.TypeHeartbeatResponse}, ProviderID: beat.ProviderID, Received: true,
		Timestamp: wire.Raw(`"` + stamp(now) + `"`),
	})
	if err != nil {
		e.server.log.Error("acknowledge a heartbeat", "error", err)
		return
	}
	c.acknowledge(ack)
}

// LastHeartbeat is when the provider's last providerHeartbeat came; zero when
// none has.
func (e *Environment) LastHeartbeat() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lastBeat
}

// setResourceID keeps the name of the provider's resource. The caller holds
// e.mu.
func (e *Environment) setResourceID(id string) {
	if id == "" || id == e.resourceID {
		return
	}
	e.resourceID = id
	e.save()
}
