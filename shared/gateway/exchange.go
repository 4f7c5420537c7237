package gateway

import (
	"sync"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxOpen is how many requests may wait for their answer at the same time.
const maxOpen = 4096

// Exchange is the table of the requests that wait. The zero value is empty. Its methods
// are safe for concurrent use.
type Exchange struct {
	mu   sync.Mutex
	open map[wire.ID]*request // by the id that the server sees
	ids  map[wire.ID]wire.ID  // from the gateway's id to that one
}

type request struct {
	gateway wire.ID // the gateway's id
	inner   wire.ID // the id in the agent's message
}

// Out is what becomes of a message of the runtime. At most one of its members is set.
type Out struct {
	ToServer  []byte // nil: nothing goes to the server
	ToRuntime []byte // a reply at once, to what cannot be asked
	// Asked is the id under which the server was asked, when it was, and Patient that a
	// person may have to answer, who takes as long as it takes.
	Asked   wire.ID
	Patient bool

	request *request
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
	var r *request
	if err == nil {
		id, r, err = x.enter(head.RequestID, inner.RequestID)
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
		x.drop(id)
		reply, rerr := replyTo(head.RequestID, wire.ProblemOf(err), nil)
		if rerr != nil {
			return Out{} // an id and a sentence always have a JSON form
		}
		return Out{ToRuntime: reply}
	}
	return Out{ToServer: out, Asked: id, Patient: patient(m.OriginalType), request: r}
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
func (x *Exchange) enter(gateway, inner wire.ID) (wire.ID, *request, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ids[gateway] != "" {
		return "", nil, wire.Errorf(wire.Exists, "there is a request %s already that waits for its answer", gateway)
	}
	if len(x.open) >= maxOpen {
		return "", nil, wire.Errorf(wire.Unavailable, "%d requests wait for their answer already", maxOpen)
	}
	id := inner
	if id == "" || x.open[id] != nil {
		id = wire.NewID()
	}
	if x.open == nil {
		x.open, x.ids = map[wire.ID]*request{}, map[wire.ID]wire.ID{}
	}
	r := &request{gateway, inner}
	x.open[id] = r
	x.ids[gateway] = id
	return id, r, nil
}

// take ends the wait for an id, of that request alone unless which is nil.
func (x *Exchange) take(id wire.ID, which *request) *request {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.open[id]
	if which != nil && r != which {
		return nil
	}
	if r != nil {
		delete(x.open, id)
		delete(x.ids, r.gateway)
	}
	return r
}

func (x *Exchange) drop(id wire.ID) {
	if id != "" {
		x.take(id, nil)
	}
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

// FromServer makes the reply of a message that answers a request, with the agent's own id
// in it; false for any other message. An answer that comes a second time, or too late, is
// another message.
func (x *Exchange) FromServer(head wire.Header, frame []byte) (reply []byte, mine bool) {
	if head.RequestID == "" {
		return nil, false
	}
	r := x.take(head.RequestID, nil)
	if r == nil {
		return nil, false
	}
	result, err := wire.With(frame, map[string]any{"requestId": r.inner})
	if err != nil {
		result = frame
	}
	var problem wire.Problem
	if refused(frame) {
		problem.Error = "refused" // what it says is in the result
	}
	reply, err = replyTo(r.gateway, problem, result)
	return reply, err == nil
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

// Expire gives the request of an Out up, which has waited long enough, and makes the
// reply that says so; false when it has its answer, or the connection it came by is gone.
func (x *Exchange) Expire(of Out) (reply []byte, waited bool) {
	r := x.take(of.Asked, of.request)
	if r == nil || of.request == nil {
		return nil, false
	}
	reply, err := replyTo(r.gateway, wire.ProblemOf(wire.Errorf(wire.Timeout, "Request timed out")), nil)
	return reply, err == nil
}

// Forget gives all requests up, when the runtime's connection has ended and nobody waits
// for the answers any more, and returns how many there were.
func (x *Exchange) Forget() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := len(x.open)
	x.open, x.ids = nil, nil
	return n
}

// Open is how many requests wait.
func (x *Exchange) Open() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.open)
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
