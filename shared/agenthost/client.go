package agenthost

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

const (
	// maxFileCalls is how many file calls of one client run at once.
	maxFileCalls = 64
	// maxWaiting and maxWaitingBytes are how many more may wait, and how large
	// they may be together; others are refused. The client is read on meanwhile:
	// answers leave only as it confirms those before.
	maxWaiting      = 4096
	maxWaitingBytes = 256 << 20
)

// client is a connected provider. Each has a pump, which tells it all that the
// agents' histories hold, at its own pace.
type client struct {
	h     *Host
	link  *link.Link
	appID string
	calls chan struct{} // has one token for each call that runs

	// Calls that run or wait.
	taken, takenBytes atomic.Int64

	watches  watches
	attached attachments

	// Under Host.mu.
	up      bool
	pass    *pass // of one that speaks as the execution gateway does
	telling bool  // the pump has a frame in hand
	seen    map[*agent]*cursor
}

// cursor is how far a client has been told of an agent.
type cursor struct {
	started bool             // was told that it runs
	late    bool             // it ran when this client came
	next    int              // index of the next event
	live    int              // events before it happened before this client came
	told    int64            // agent.total of what was told
	offset  map[string]int64 // end of what was told, by stream
}

// behind reports whether there is something to tell.
func (at *cursor) behind(a *agent) bool {
	return (!at.started && a.started != nil) || max(at.next, a.first) < a.first+len(a.events)
}

func (h *Host) accept(l *link.Link, r *http.Request) link.Handler {
	c := &client{h: h, link: l, appID: r.URL.Query().Get(wire.RuntimeParamAppID), calls: make(chan struct{}, maxFileCalls), seen: map[*agent]*cursor{}}
	h.mu.Lock()
	h.clients[c] = true
	if through(r) {
		h.admitGateway(c, r)
	}
	for _, a := range h.agents {
		c.seen[a] = &cursor{late: a.started != nil, next: a.first, live: a.first + len(a.events), told: a.total - int64(a.kept), offset: map[string]int64{}}
	}
	h.mu.Unlock()
	h.wg.Go(c.pump)
	return link.Handler{
		Up:      func(link.Up) { c.setUp(true) },
		Down:    func(error) { c.setUp(false) },
		Message: c.receive,
		Lost:    func(loss link.Loss) { h.log.Warn("session lost", "unconfirmed", loss.Unconfirmed) },
	}
}

func (c *client) setUp(up bool) {
	c.attached.hold(up)
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	c.up = up
	if !up && !c.h.connected() {
		c.h.alone = time.Now()
	}
	c.h.moved.Broadcast()
}

// pump tells the client of every event, in each agent's order.
func (c *client) pump() {
	h := c.h
	stop := make(chan struct{})
	defer close(stop)
	go func() { // wake the pump when the link ends
		select {
		case <-c.link.Done():
		case <-stop:
		}
		c.watches.close()
		c.attached.close()
		h.mu.Lock()
		delete(h.clients, c)
		h.unclaim(c)
		if !h.connected() {
			h.alone = time.Now()
		}
		h.moved.Broadcast()
		h.mu.Unlock()
	}()
	for {
		frame, gone, ok := c.next()
		if !ok {
			return
		}
		// While the provider is away the outbox fills, and then this waits; the
		// agents' histories go on, within their limits. A provider that is connected
		// and does not confirm what it was told holds the agents up (see
		// waitForReaders). Answers to file calls do not wait behind it.
		if err := c.link.SendBulkThen(context.WithoutCancel(h.ctx), frame, gone); err != nil {
			if !errors.Is(err, link.ErrClosed) {
				h.log.Debug("not told", "error", err)
			}
			return
		}
	}
}

// next waits for something to tell; false when the client is gone. gone, when it is not
// nil, is to be called when the client has it.
func (c *client) next() (frame []byte, gone func(), ok bool) {
	h := c.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.telling {
		c.telling = false
		h.moved.Broadcast()
	}
	defer func() { c.telling = true }()
again:
	for {
		if !h.clients[c] {
			return nil, nil, false
		}
		for _, a := range h.agents {
			at := c.seen[a]
			if at == nil {
				at = &cursor{offset: map[string]int64{}}
				c.seen[a] = at
			}
			if !at.behind(a) {
				continue
			}
			h.moved.Broadcast() // an agent may wait for the slowest client
			if !at.started && a.started != nil {
				at.started = true
				started := *a.started
				started.Replay = at.late
				return c.as(encode(&started), nil), nil, true
			}
			at.next = max(at.next, a.first)
			ev := a.events[at.next-a.first]
			at.next++
			at.told = ev.upTo
			gone = nil
			if a.speaker != nil {
				gone = h.reaches(a, at.next)
			}
			if ev.asks != nil && c.hears(&ev) {
				ev.asks.told = true
			}
			if !c.hears(&ev) || ev.asks != nil && at.next <= at.live && !h.asked.open(ev.asks) {
				continue again // it is not for this one, or has its answer
			}
			if ev.output == nil {
				return c.as(ev.encode(at.next <= at.live, 0), ev.asks), gone, true
			}
			seen := at.offset[ev.output.Stream]
			at.offset[ev.output.Stream] = ev.output.Offset + int64(ev.size)
			return c.as(ev.encode(at.next <= at.live, seen), nil), gone, true
		}
		h.moved.Wait()
	}
}

// as is a message as the client takes it.
func (c *client) as(frame []byte, asks *question) []byte {
	if c.pass == nil {
		return frame
	}
	return wrapped(frame, asks)
}

// reaches notes, when it is called, that somebody has been told of an agent's events
// before next.
func (h *Host) reaches(a *agent, next int) func() {
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		a.reached = max(a.reached, next)
		h.moved.Broadcast()
	}
}

// receive handles a message of the client. It runs on the link's goroutine.
func (c *client) receive(m link.Message) {
	head, err := wire.Peek(m.Data)
	if err != nil || head.Type == "" {
		c.fault(head.RequestID, "a message needs a type")
		return
	}
	if c.pass != nil && c.spokenToGateway(head, m.Data) {
		return
	}
	switch head.Type {
	case wire.TypePing, wire.TypePong, wire.TypeSetNarrative:
		// Keepalives need no answer, and a plain command has no narrative.
	case wire.TypeAppFS:
		c.file(m.Data)
	case wire.TypeWatchStart, wire.TypeWatchStop, wire.TypeWatchList:
		c.watching(head, m.Data)
	case wire.TypeTerminalOpen, wire.TypeTerminalInput, wire.TypeTerminalResize, wire.TypeTerminalAttach, wire.TypeTerminalDetach,
		wire.TypeTerminalSignal, wire.TypeTerminalClose, wire.TypeTerminalList:
		c.terminals(head, m.Data)
	case wire.TypeMessageResponse:
		msg := &wire.MessageResponse{}
		if err := wire.Unmarshal(m.Data, msg); err != nil {
			c.fault(head.RequestID, err.Error())
			return
		}
		c.h.prompt(msg, m.Data, c.appID)
	case wire.TypeStopProcess:
		stop := &wire.StopProcess{}
		if err := wire.Unmarshal(m.Data, stop); err != nil {
			c.fault(head.RequestID, err.Error())
			return
		}
		c.h.stop(stop, m.Data)
	default:
		if !c.h.deliver(head, m.Data) {
			c.fault(head.RequestID, "no agent here takes messages of type "+head.Type)
		}
	}
}

// file answers a file call. Calls run concurrently; the provider keeps those
// apart that touch the same path.
func (c *client) file(frame []byte) {
	call := &wire.AppFS{}
	if err := wire.Unmarshal(frame, call); err != nil {
		c.fault("", err.Error())
		return
	}
	size := int64(len(frame))
	n, bytes := c.taken.Add(1), c.takenBytes.Add(size)
	if n > 1 && (n > maxFileCalls+maxWaiting || bytes > maxWaitingBytes) {
		c.taken.Add(-1)
		c.takenBytes.Add(-size)
		c.refuse(call, wire.Errorf(wire.Unavailable, "%s: %d file calls are waiting already; try again later", call.Action, n-1))
		return
	}
	c.h.wg.Go(func() {
		c.calls <- struct{}{}
		defer func() {
			<-c.calls
			c.taken.Add(-1)
			c.takenBytes.Add(-size)
		}()
		reply, err := wire.Marshal(workspace.Serve(c.h.ctx, c.h.files, call))
		if err == nil {
			err = c.link.SendWait(context.WithoutCancel(c.h.ctx), reply)
		}
		if wire.CodeOf(err) == wire.TooLarge {
			c.refuse(call, err)
			return
		}
		if err != nil && !errors.Is(err, link.ErrClosed) {
			c.h.log.Warn("file call not answered", "action", call.Action, "error", err)
		}
	})
}

// refuse answers a file call with an error.
func (c *client) refuse(call *wire.AppFS, why error) {
	reply, err := wire.Marshal(&wire.AppFSReply{Type: wire.TypeAppFSResponse, RequestID: call.RequestID, Problem: wire.ProblemOf(why)})
	if err == nil {
		err = c.link.Send(reply)
	}
	if err != nil {
		c.h.log.Warn("file call not answered", "action", call.Action, "error", err)
	}
}

// respond answers a request, once there is room for it.
func (c *client) respond(typ string, reply any) {
	frame, err := wire.Marshal(reply)
	if err == nil {
		err = c.link.SendWait(context.WithoutCancel(c.h.ctx), frame)
	}
	if err != nil && !errors.Is(err, link.ErrClosed) {
		c.h.log.Warn("request not answered", "type", typ, "error", err)
	}
}

// fault answers a frame that cannot be used.
func (c *client) fault(id wire.ID, why string) {
	frame, err := wire.Marshal(wire.MessageFault{
		ID: string(wire.NewID()), Type: wire.TypeResponse, Error: why, RequestID: id, Timestamp: wire.Now(),
	})
	if err == nil {
		err = c.link.Send(frame)
	}
	if err != nil {
		c.h.log.Debug("fault not told", "why", why, "error", err)
	}
}

// names are what a message of the platform says of whom it is for. Values of other
// kinds are as good as none.
type names struct {
	AgentID         text `json:"agentId"`
	AgentInstanceID text `json:"agentInstanceId"`
	ThreadID        text `json:"threadId"`
	ReplyRequestID  text `json:"replyRequestId"`
	Data            struct {
		AgentID         text `json:"agentId"`
		AgentInstanceID text `json:"agentInstanceId"`
		RequestID       text `json:"requestId"`
	} `json:"data"`
}

// text reads a JSON string, and anything else as "".
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(raw []byte) error {
	*t = text(unquote(raw))
	return nil
}

func address(frame []byte) (n names) {
	if json.Unmarshal(frame, &n) != nil {
		return names{}
	}
	return n
}

// agents are the ids and instances it names.
func (n names) agents() (all []string) {
	for _, name := range []text{n.Data.AgentInstanceID, n.Data.AgentID, n.AgentInstanceID, n.AgentID} {
		if name != "" {
			all = append(all, string(name))
		}
	}
	return all
}

// lastWords is how long connected providers have to hear how their agents ended.
const lastWords = 2 * time.Second

// settle waits until every connected client has been told everything, or
// lastWords have passed.
func (h *Host) settle() {
	late := false
	timer := time.AfterFunc(lastWords, func() {
		h.mu.Lock()
		late = true
		h.moved.Broadcast()
		h.mu.Unlock()
	})
	defer timer.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for !late && h.someoneBehind() {
		h.moved.Wait()
	}
}

func (h *Host) someoneBehind() bool {
	for c := range h.clients {
		for _, a := range h.agents {
			if at := c.seen[a]; c.up && (at == nil || at.behind(a) || c.telling) {
				return true
			}
		}
	}
	return false
}
