package server

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Answer is what a provider answered.
type Answer struct {
	// Reply is the answer decoded; only its header is set when the answer is of
	// a form that wire.Reply does not have, as those to heartbeat requests are.
	Reply wire.Reply
	// Frame is the answer as it came.
	Frame []byte
	// ByName tells that the answer did not carry the requestId of the request
	// and was found by its name, as the answers of Node providers are.
	ByName bool
}

type pendingCall struct {
	id     wire.ID
	typ    string
	name   string // of the answer; "" when the protocol knows none
	answer chan *Answer
	failed chan error
}

// Call sends a message and waits for its answer: the frame with the same
// requestId or, when the provider makes up ids of its own, the oldest open call's
// whose answer has that name. A message without a requestId gets one. The
// message is anything that becomes a JSON object; a []byte or a raw JSON value is
// taken as JSON already.
//
// An answer that reports a failure is returned together with an error of its
// kind. Without an answer the error is that of ctx, or of kind Unavailable when
// the process ended, or NotRunning when there never was one. A lost connection
// fails no call: the answer may come on the next one.
func (e *Environment) Call(ctx context.Context, message any) (*Answer, error) {
	frame, head, err := encode(message)
	if err != nil {
		return nil, err
	}
	call := &pendingCall{id: head.RequestID, typ: head.Type, answer: make(chan *Answer, 1), failed: make(chan error, 1)}
	if verb, ok := wire.VerbOf(head); ok {
		call.name = verb.Response
		call.typ = verb.Type
	}
	e.mu.Lock()
	e.issue(call.id)
	e.pending = append(e.pending, call)
	e.mu.Unlock()
	defer e.forget(call)
	if err := e.SendFrame(ctx, websocket.TextMessage, frame); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "%s: %w", call.typ, err)
	}
	select {
	case answer := <-call.answer:
		return answer, answer.failure()
	case err := <-call.failed:
		return nil, wire.Errorf(wire.CodeOf(err), "%s: no answer: %w", call.typ, err)
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeOf(context.Cause(ctx)), "%s: no answer: %w", call.typ, context.Cause(ctx))
	}
}

// Send sends a message for which no answer is awaited; an answer goes to the
// subscribers. While the process lives it waits for a connection. It returns
// when the message is handed to the system, which is no proof of its arrival.
func (e *Environment) Send(ctx context.Context, message any) error {
	frame, err := marshal(message)
	if err != nil {
		return err
	}
	return e.SendFrame(ctx, websocket.TextMessage, frame)
}

// SendFrame sends bytes as one frame of a type of package websocket, whatever
// they are. See [Environment.Send].
func (e *Environment) SendFrame(ctx context.Context, messageType int, frame []byte) error {
	c, err := e.link(ctx)
	if err == nil {
		err = c.write(ctx, messageType, frame)
		if err != nil && context.Cause(ctx) == nil {
			err = wire.Errorf(wire.Unavailable, "the connection was lost: %w", err)
		}
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "send to %s: %w", e.spec.Name, err)
	}
	return nil
}

// StartAgent sends providerAgentStart with the envelope for the runtime and
// waits until the provider has taken it, which is before the agent runs.
func (e *Environment) StartAgent(ctx context.Context, userMessage any) error {
	envelope, err := marshal(userMessage)
	if err != nil {
		return err
	}
	_, err = e.Call(ctx, wire.ProviderAgentStart{
		Header: wire.Header{Type: wire.TypeProviderAgentStart}, UserMessage: wire.Raw(envelope), ProjectPath: e.spec.ProjectPath,
	})
	return err
}

func marshal(message any) ([]byte, error) {
	switch m := message.(type) {
	case []byte:
		return m, nil
	case wire.Raw:
		return m, nil
	case json.RawMessage:
		return m, nil
	}
	frame, err := wire.Marshal(message)
	if err != nil {
		return nil, wire.Errorf(wire.Invalid, "the message cannot be JSON: %w", err)
	}
	return frame, nil
}

// encode makes a frame with a requestId.
func encode(message any) ([]byte, wire.Header, error) {
	frame, err := marshal(message)
	if err != nil {
		return nil, wire.Header{}, err
	}
	head, err := wire.Peek(frame)
	if err != nil || head.RequestID != "" {
		return frame, head, err
	}
	var members map[string]wire.Raw
	if err := wire.Unmarshal(frame, &members); err != nil {
		return nil, head, err
	}
	head.RequestID = wire.NewID()
	members["requestId"] = wire.Raw(`"` + head.RequestID + `"`)
	frame, err = wire.Marshal(members)
	return frame, head, err
}

// maxIssued is how many requestIds are remembered beyond their call.
const maxIssued = 4096

// issue remembers a requestId of ours. The caller holds e.mu.
func (e *Environment) issue(id wire.ID) {
	if e.issued[id] {
		return
	}
	if len(e.issuedOrder) == maxIssued {
		delete(e.issued, e.issuedOrder[0])
		e.issuedOrder = e.issuedOrder[1:]
	}
	e.issued[id] = true
	e.issuedOrder = append(e.issuedOrder, id)
}

func (e *Environment) forget(call *pendingCall) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pending = slices.DeleteFunc(e.pending, func(c *pendingCall) bool { return c == call })
}

// legacyDiffFailure is the type that Node gives a failed providerGetDiffFiles.
const legacyDiffFailure = "getDiffFiles"

func (c *pendingCall) named(head wire.Header) bool {
	return c.name == head.Type || c.name == head.Action ||
		c.typ == wire.TypeGetDiffFiles && head.Type == legacyDiffFailure
}

// claim gives the frame to the call it answers.
func (e *Environment) claim(head wire.Header, frame []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	byName := false
	i := slices.IndexFunc(e.pending, func(c *pendingCall) bool {
		return c.id == head.RequestID && (c.name == "" || c.named(head))
	})
	// An id of ours that nobody waits for belongs to a call that was given up,
	// and must not answer another one. An unasked heartbeat answers nothing.
	if i < 0 && !e.issued[head.RequestID] && head.Type != wire.TypeProviderHeartbeat {
		byName = true
		i = slices.IndexFunc(e.pending, func(c *pendingCall) bool { return c.name != "" && c.named(head) })
	}
	if i < 0 {
		return false
	}
	call := e.pending[i]
	e.pending = slices.Delete(e.pending, i, i+1)
	answer := &Answer{Frame: frame, ByName: byName}
	if err := wire.Unmarshal(frame, &answer.Reply); err != nil {
		answer.Reply = wire.Reply{Header: head}
	}
	call.answer <- answer
	return true
}

// failure is the error an answer reports, or nil.
func (a *Answer) failure() error {
	if err := a.Reply.Err(); err != nil {
		return err
	}
	if a.Reply.Success == nil || *a.Reply.Success {
		return nil
	}
	// The answer to environmentRestartRequest has its sentence in "message".
	var text string
	if len(a.Reply.Message) > 0 && a.Reply.Message.Kind() == '"' {
		if err := wire.Unmarshal(a.Reply.Message, &text); err != nil {
			return err
		}
	}
	if text == "" {
		text = a.Reply.Name() + " reports a failure without a reason"
	}
	return wire.Problem{Error: text, Code: a.Reply.Code, Retryable: a.Reply.Retryable}.Err()
}
