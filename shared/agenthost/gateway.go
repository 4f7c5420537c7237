package agenthost

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// gatewayPaths are where the direct execution gateway is spoken; the other is what some
// call it.
var gatewayPaths = []string{wire.GatewayPath, "/plugins"}

// through reports whether a connection speaks as the execution gateway does.
func through(r *http.Request) bool {
	for _, path := range gatewayPaths {
		if r.URL.Path == path {
			return true
		}
	}
	return false
}

// pass is what a client of the execution gateway may have; nil for others. It is under
// Host.mu.
type pass struct {
	id         string // as it calls itself
	subscribed bool   // hears what agents say
}

// admitGateway takes a client of the gateway in: it hears the agents, and answers them
// unless another one does already. Under mu.
func (h *Host) admitGateway(c *client, r *http.Request) {
	c.pass = &pass{id: gatewayID(r), subscribed: true}
	if h.claimant == nil {
		h.claimant = c
	}
}

// greetGateway tells a client of the gateway whether it has claimed it.
func (h *Host) greetGateway(l *link.Link, r *http.Request) []byte {
	h.mu.Lock()
	claimed := h.claimant != nil && h.claimant.link == l
	h.mu.Unlock()
	frame, err := wire.Marshal(wire.GatewayRole{
		Header: wire.Header{Type: wire.TypeGatewayClaim}, Success: claimed,
		Data: &wire.GatewayRoleData{Claimed: claimed, PluginID: gatewayID(r)},
	})
	if err != nil {
		h.log.Error("greeting", "error", err)
	}
	return frame
}

// gatewayID is what a client of the gateway calls itself.
func gatewayID(r *http.Request) string {
	query := r.URL.Query()
	return cmp.Or(query.Get(wire.RuntimeParamProvider), query.Get("pluginId"))
}

// spokenToGateway handles what is of the gateway's own; false for any other message.
func (c *client) spokenToGateway(head wire.Header, frame []byte) bool {
	switch head.Type {
	case wire.TypeGatewayClaim, wire.TypeGatewayRelinquish, wire.TypeGatewaySubscribe, wire.TypeGatewayUnsubscribe:
		c.claims(head)
	case wire.TypeGatewayReply:
		c.replied(head, frame)
	default:
		return false
	}
	return true
}

// claims carries out what a client of the gateway says about its role, and answers it.
func (c *client) claims(head wire.Header) {
	reply := wire.GatewayRole{Header: wire.Header{Type: head.Type, RequestID: head.RequestID}}
	h := c.h
	h.mu.Lock()
	var err error
	switch head.Type {
	case wire.TypeGatewayClaim:
		switch {
		case h.claimant != nil && h.claimant != c:
			err = wire.Errorf(wire.Conflict, "another client has claimed the gateway")
		case h.claimant == nil:
			h.claimant = c
			c.again()
		}
	case wire.TypeGatewayRelinquish:
		h.unclaim(c)
	case wire.TypeGatewaySubscribe:
		c.pass.subscribed = true
	case wire.TypeGatewayUnsubscribe:
		c.pass.subscribed = false
	}
	reply.Success, reply.Problem = err == nil, wire.ProblemOf(err)
	reply.Data = &wire.GatewayRoleData{Claimed: h.claimant == c, PluginID: c.pass.id}
	h.moved.Broadcast()
	h.mu.Unlock()
	c.respond(head.Type, reply)
}

// again has a client hear once more what is kept, which is marked so: whoever claims the
// gateway answers what another has left unanswered. Under mu.
func (c *client) again() {
	for a, at := range c.seen {
		at.next, at.live = a.first, a.first+len(a.events)
	}
}

// hears reports whether a client is told of an event. What is asked goes to one: to the
// client that has claimed the gateway or, while nobody has, to those that know none.
// Under mu.
func (c *client) hears(ev *event) bool {
	switch {
	case ev.asks != nil:
		return c.h.claimant == c || c.h.claimant == nil && c.pass == nil
	case c.pass != nil:
		return c.pass.subscribed
	}
	return true
}

// unclaim takes the gateway from a client: what it has not answered goes to those that
// know no gateway, if there are any. Under mu.
func (h *Host) unclaim(c *client) {
	if h.claimant != c {
		return
	}
	h.claimant = nil
	for other := range h.clients {
		if other.pass == nil {
			other.again()
		}
	}
	h.moved.Broadcast()
}

// wrapped is a message for a client of the gateway.
func wrapped(frame []byte, asks *question) []byte {
	head, err := wire.Peek(frame)
	if err != nil {
		return frame // it was made here
	}
	var out []byte
	if asks != nil {
		out, err = wire.Marshal(wire.GatewayRequest{
			Header:       wire.Header{Type: wire.TypeGatewayRequest, RequestID: asks.outer},
			OriginalType: head.Type, OriginalAction: head.Action, OriginalMessage: frame,
		})
	} else {
		out, err = wire.Marshal(wire.GatewayNotification{
			Header: wire.Header{Type: wire.TypeGatewayNotification, RequestID: wire.NewID()}, OriginalType: head.Type, OriginalMessage: frame,
		})
	}
	if err != nil {
		return frame // as above
	}
	return out
}

// replied gives the agent the answer in a reply of the gateway.
func (c *client) replied(head wire.Header, frame []byte) {
	m := &wire.GatewayReply{}
	if err := wire.Unmarshal(frame, m); err != nil {
		c.fault(head.RequestID, err.Error())
		return
	}
	q := c.h.asked.of(m.ReplyRequestID)
	if q == nil {
		c.h.log.Debug("reply to nothing that was asked", "request", m.ReplyRequestID)
		return
	}
	members := map[string]any{"requestId": m.ReplyRequestID}
	result := m.Result
	inner, err := wire.Peek(result)
	if err != nil || len(result) == 0 { // it is no object
		result = []byte("{}")
		if len(m.Result) > 0 && string(m.Result) != "null" {
			members["result"] = m.Result
		}
	}
	if inner.Type == "" {
		members["type"] = strings.TrimSuffix(q.typ, "Event") + "Response"
		if q.action != "" {
			members["type"] = q.action + "Response"
		}
	}
	if !m.Success {
		members["success"] = false
	}
	answer, err := wire.With(result, members)
	if err == nil {
		inner, err = wire.Peek(answer)
	}
	if err != nil {
		c.fault(head.RequestID, err.Error())
		return
	}
	c.h.deliver(inner, answer)
}
