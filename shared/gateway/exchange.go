package gateway

import (
	"cmp"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxOpen is how many requests may wait for their answer at the same time.
const maxOpen = 4096

// DefaultPatience is the Patience of an [Exchange] that has none set.
const DefaultPatience = 2 * time.Minute

// Exchange is the table of the requests that wait. The zero value is empty, and ready when
// nobody needs to hear of requests that have waited too long. Its methods are safe for
// concurrent use.
type Exchange struct {
	// Patience is how long a request waits for its answer, unless a person or a model has
	// to give it; 0 is DefaultPatience.
	Patience time.Duration
	// Late is called with the reply to a request that has waited so long. It is called on
	// a goroutine of its own, and for no request that has its answer or is forgotten.
	Late func(reply []byte)

	mu      sync.Mutex
	open    map[wire.ID]*request // by the id that the server sees
	ids     map[wire.ID]wire.ID  // from the gateway's id to that one
	ended   ended
	dropped int
}

type request struct {
	gateway wire.ID     // the gateway's id
	inner   wire.ID     // the id in the agent's message
	late    *time.Timer // nil: it waits as long as it takes
}

// Out is what becomes of a message of the runtime. At most one of its members is set.
type Out struct {
	ToServer  []byte // nil: nothing goes to the server
	ToRuntime []byte // a reply at once, to what cannot be asked
}

// FromRuntime translates a message of the runtime. Requests and notifications are
// unwrapped, also in their older form; the answers to claims and the like end here, and
// anything else passes as it is.
func (x *Exchange) FromRuntime(head wire.Header, frame []byte) Out {
	switch head.Type {
	case wire.TypeGatewayRequest, wire.TypeLegacyRequest:
		return x.request(head, frame)
	case wire.TypeGatewayNotification, wire.TypeLegacyNotification:
		return notification(frame)
	case wire.TypeGatewayClaim, wire.TypeGatewayRelinquish, wire.TypeGatewaySubscribe, wire.TypeGatewayUnsubscribe:
		return Out{}
	}
	return Out{ToServer: frame}
}

func (x *Exchange) request(head wire.Header, frame []byte) Out {
	m := &wire.GatewayRequest{}
	err := wire.Unmarshal(frame, m)
	if err == nil && head.RequestID == "" {
		return Out{} // nobody could be answered
	}
	var inner wire.Header
	if err == nil {
		inner, err = wire.Peek(m.OriginalMessage)
	}
	var id wire.ID
	if err == nil {
		id, err = x.enter(head.RequestID, inner.RequestID, patient(m.OriginalType))
	}
	var out []byte
	if err == nil {
		members := map[string]any{"requestId": id}
		if inner.Type == "" {
			members["type"] = m.OriginalType
		}
		out, err = wire.With(m.OriginalMessage, members)
	}
	if err != nil {
		x.take(id, nil, "")
		reply, rerr := replyTo(head.RequestID, wire.ProblemOf(err), nil)
		if rerr != nil {
			return Out{} // an id and a sentence always have a JSON form
		}
		return Out{ToRuntime: reply}
	}
	return Out{ToServer: out}
}

// patient tells whether a person, or a model, may take any time for the answer.
func patient(typ string) bool {
	switch typ {
	case "inference", "confirmationRequest", "waitforReply":
		return true
	}
	return false
}

// enter gives a request an id for the server: its agent's own where that is free, so that
// the server finds it in what it keeps, or a new one.
func (x *Exchange) enter(gateway, inner wire.ID, patient bool) (wire.ID, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ids[gateway] != "" {
		return "", wire.Errorf(wire.Exists, "there is a request %s already that waits for its answer", gateway)
	}
	if len(x.open) >= maxOpen {
		return "", wire.Errorf(wire.Unavailable, "%d requests wait for their answer already", maxOpen)
	}
	id := inner
	if id == "" || x.open[id] != nil {
		id = wire.NewID()
	}
	if x.open == nil {
		x.open, x.ids = map[wire.ID]*request{}, map[wire.ID]wire.ID{}
	}
	r := &request{gateway: gateway, inner: inner}
	if !patient {
		r.late = time.AfterFunc(cmp.Or(x.Patience, DefaultPatience), func() { x.expire(id, r) })
	}
	x.open[id] = r
	x.ids[gateway] = id
	x.ended.forget(id) // an agent may use an id again
	return id, nil
}

// take ends the wait for an id, with an answer of type by, if any; of that request alone
// unless which is nil.
func (x *Exchange) take(id wire.ID, which *request, by string) *request {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.open[id]
	if r == nil || which != nil && r != which {
		return nil
	}
	delete(x.open, id)
	delete(x.ids, r.gateway)
	r.end()
	x.ended.note(id, by)
	return r
}

// end stops the clock of a request.
func (r *request) end() {
	if r.late != nil {
		r.late.Stop()
	}
}

// expire gives a request up that has waited long enough, and says so.
func (x *Exchange) expire(id wire.ID, which *request) {
	r := x.take(id, which, "")
	if r == nil || x.Late == nil {
		return
	}
	reply, err := replyTo(r.gateway, wire.ProblemOf(wire.Errorf(wire.Timeout, "Request timed out")), nil)
	if err != nil {
		return // an id and a sentence always have a JSON form
	}
	x.Late(reply)
}

// notification unwraps a message that needs no answer.
func notification(frame []byte) Out {
	m := &wire.GatewayNotification{}
	if wire.Unmarshal(frame, m) != nil {
		return Out{}
	}
	inner := m.Result
	if _, err := wire.Peek(inner); err != nil || len(inner) == 0 {
		inner = m.OriginalMessage
	}
	head, err := wire.Peek(inner)
	if err != nil {
		return Out{}
	}
	if head.Type != "" {
		return Out{ToServer: inner}
	}
	out, err := wire.With(inner, map[string]any{"type": m.OriginalType})
	if err != nil {
		return Out{}
	}
	return Out{ToServer: out}
}

// FromServer makes of a message of the server the reply to the request that it answers,
// with the agent's own id in it; matched is true then. An answer that comes a second time,
// or after its request was given up, is nobody's: it is counted, and out is nil. Any other
// message passes as it is.
func (x *Exchange) FromServer(head wire.Header, frame []byte) (out []byte, matched bool) {
	if head.RequestID == "" {
		return frame, false
	}
	r := x.take(head.RequestID, nil, head.Type)
	if r == nil {
		if x.late(head) {
			return nil, false
		}
		return frame, false
	}
	result, err := wire.With(frame, map[string]any{"requestId": r.inner})
	if err != nil {
		result = frame
	}
	var problem wire.Problem
	if refused(frame) {
		problem.Error = "refused" // what it says is in the result
	}
	reply, err := replyTo(r.gateway, problem, result)
	if err != nil {
		return nil, false // it was read as JSON before
	}
	return reply, true
}

// late counts an answer to what nobody waits for any more.
func (x *Exchange) late(head wire.Header) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ended.repeats(head) {
		return false
	}
	x.dropped++
	return true
}

// refused reports whether an answer says that what was asked was not done: with an error
// of any kind, or with success that is false.
func refused(answer []byte) bool {
	var said struct {
		Success wire.Raw `json:"success"`
		Error   wire.Raw `json:"error"`
	}
	if err := wire.Unmarshal(answer, &said); err != nil {
		return false // the members have any kind; it is no object
	}
	switch string(said.Error) {
	case "", "null", `""`, "false":
		return string(said.Success) == "false"
	}
	return true
}

// Forget gives all requests up, when the runtime's connection has ended and nobody waits
// for the answers any more, and returns how many there were.
func (x *Exchange) Forget() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := len(x.open)
	for id, r := range x.open {
		r.end()
		x.ended.note(id, "")
	}
	x.open, x.ids = nil, nil
	return n
}

// Open is how many requests wait.
func (x *Exchange) Open() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.open)
}

// Dropped is how many answers came twice or too late.
func (x *Exchange) Dropped() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.dropped
}

// replyTo is a reply; without a result it holds the problem.
func replyTo(id wire.ID, problem wire.Problem, result wire.Raw) ([]byte, error) {
	if result == nil {
		text, err := wire.Marshal(problem)
		if err != nil {
			return nil, err
		}
		result = text
	}
	return wire.Marshal(wire.GatewayReply{
		Header: wire.Header{Type: wire.TypeGatewayReply, RequestID: "reply-" + id}, ReplyRequestID: id, Success: problem.Error == "", Result: result,
	})
}
