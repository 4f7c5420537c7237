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
	typ     string
}

// Out is what becomes of a message of the runtime. At most one of its members is set.
type Out struct {
	ToServer  []byte // nil: nothing goes to the server
	ToRuntime []byte // a reply at once, to what cannot be asked
	// Asked is the id under which the server was asked, when it was, and Patient that a
	// person may have to answer, who takes as long as it takes.
	Asked   wire.ID
	Patient bool
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
		id, err = x.enter(head.RequestID, inner.RequestID, m.OriginalType)
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
	return Out{ToServer: out, Asked: id, Patient: patient(m.OriginalType)}
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
func (x *Exchange) enter(gateway, inner wire.ID, typ string) (wire.ID, error) {
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
	x.open[id] = &request{gateway, inner, typ}
	x.ids[gateway] = id
	return id, nil
}

func (x *Exchange) take(id wire.ID) *request {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.open[id]
	if r != nil {
		delete(x.open, id)
		delete(x.ids, r.gateway)
	}
	return r
}

func (x *Exchange) drop(id wire.ID) {
	if id != "" {
		x.take(id)
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
	r := x.take(head.RequestID)
	if r == nil {
		return nil, false
	}
	var said struct {
		Success *bool  `json:"success"`
		Error   string `json:"error"`
	}
	if err := wire.Unmarshal(frame, &said); err != nil {
		said.Success, said.Error = nil, "" // these members are of other kinds, and say nothing
	}
	result, err := wire.With(frame, map[string]any{"requestId": r.inner})
	if err != nil {
		result = frame
	}
	problem := wire.Problem{Error: said.Error}
	if said.Success != nil && *said.Success {
		problem = wire.Problem{}
	}
	reply, err = replyTo(r.gateway, problem, result)
	return reply, err == nil
}

// Expire gives a request up that has waited long enough, and makes the reply that says
// so; false when it has its answer.
func (x *Exchange) Expire(id wire.ID) (reply []byte, waited bool) {
	r := x.take(id)
	if r == nil {
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
