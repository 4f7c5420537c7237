package agenthost

import (
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// notAgents are types of messages that only the runtime or the provider may send: an
// agent that sends one would pass for them.
func notAgents(typ string) bool {
	switch typ {
	case wire.TypeRegistered, wire.TypeAgentStarted, wire.TypeAgentOutput, wire.TypeNotification, wire.TypeRemoteProviderEvent, wire.TypeSetResourceID,
		wire.TypeEnvironmentHeartbeat, wire.TypeProviderHeartbeat,
		wire.TypeSnapshotImported, wire.TypeSnapshotExported, wire.TypeMessageResponse, wire.TypeResponse:
		return true
	}
	if slices.ContainsFunc(wire.Verbs, func(v wire.Verb) bool { return v.Type == typ || v.Response == typ }) {
		return true
	}
	if wire.RuntimeRequest(typ) { // a terminal is a person's, and no policy is about it
		return true
	}
	for _, prefix := range []string{"provider", "executionGateway.", "__"} {
		if strings.HasPrefix(typ, prefix) {
			return true
		}
	}
	return false
}

// unanswered are messages that the platform does not answer, though they have an id.
func unanswered(head wire.Header) bool {
	switch head.Type {
	case "sendMessage", "processStarted", wire.TypeProcessStopped, "processFinished", "notificationEvent", "actionBlockComplete":
		return true
	case "projectEvent", "settingEvent":
		return head.Action == "runProject"
	case "browserEvent":
		return head.Action == "getPDF" || head.Action == "pdfToText" || head.Action == "close"
	case "crawlerEvent":
		return head.Action != "click"
	}
	return strings.HasSuffix(head.Type, "notify")
}

// heard takes what the agent says. While it runs, nothing more of the agent is read: one
// that says more than is taken from it waits, and nobody else.
func (s *speaker) heard(frame []byte) {
	head, err := wire.Peek(frame)
	switch {
	case err != nil:
		s.refuse(head, err)
	case head.Type == wire.TypePing || head.Type == wire.TypePong:
	case head.Type == "":
		s.refuse(head, wire.Errorf(wire.Invalid, "a message needs a type"))
	case notAgents(head.Type):
		s.h.log.Warn("an agent sent what is not an agent's to send", "agent", s.a.id, "type", head.Type)
		s.refuse(head, wire.Errorf(wire.Permission, "%s is not an agent's to send", head.Type))
	case s.rules.of(head) != "proxy" && s.caller.Serve(head, frame):
	case unanswered(head):
		s.relay(head, frame, nil)
	case s.rules.of(head) == "local":
		s.refuse(head, wire.Errorf(wire.Unsupported, "%s is to be answered in the environment, as %s says, and nothing here can", head.Type, rulesFile))
	case head.RequestID == "" && s.wait(head, frame):
	default:
		s.ask(head, frame)
	}
}

// refuse answers what is not passed on.
func (s *speaker) refuse(head wire.Header, why error) {
	s.h.meters.messages.Add(1, outcomeRefused)
	refusal := wire.AgentRefusal{Type: wire.TypeError, RequestID: head.RequestID, Problem: wire.ProblemOf(why), Message: why.Error()}
	if head.Action != "" {
		refusal.Type = head.Action + "Response"
	}
	s.say(encode(&refusal))
}

// wait keeps a request without an id while another of its type has no answer: whoever
// asks so knows answers by their type alone, and takes one for all that it waits for.
func (s *speaker) wait(head wire.Header, frame []byte) bool {
	key := head.Type + "/" + head.Action
	s.mu.Lock()
	defer s.mu.Unlock()
	before, asked := s.unnamed[key]
	if !asked {
		s.unnamed[key] = nil
		return false
	}
	if len(before) < maxQueuedMessages {
		s.unnamed[key] = append(before, asking{head, frame})
	}
	return true
}

// next asks what waited for the answer to such a request.
func (s *speaker) next(head wire.Header) {
	key := head.Type + "/" + head.Action
	s.mu.Lock()
	waiting := s.unnamed[key]
	if len(waiting) == 0 {
		delete(s.unnamed, key)
		s.mu.Unlock()
		return
	}
	s.unnamed[key] = waiting[1:]
	s.mu.Unlock()
	// The answer's carrier must not wait for the way out to have room.
	s.h.wg.Go(func() { s.ask(waiting[0].head, waiting[0].frame) })
}

// ask passes a request on to the platform.
func (s *speaker) ask(head wire.Header, frame []byte) {
	span := s.asks(head, frame)
	q := s.h.asked.ask(s, head, span)
	if q == nil {
		why := wire.Errorf(wire.Unavailable, "%d requests of this agent have no answer yet", maxAsked)
		span.End(why)
		s.refuse(head, why)
		return
	}
	q.action = head.Action
	s.relay(head, frame, q)
}

// tell passes on what the runtime has to say of the agent.
func (s *speaker) tell(frame []byte) { s.h.record(s.a, event{frame: frame}) }

// relay passes a message on to the platform as the agent's, whoever it says it is.
func (s *speaker) relay(head wire.Header, frame []byte, q *question) {
	members := map[string]any{"agentId": s.a.id, "agentInstanceId": s.a.instance}
	s.passed(members, frame, q)
	switch {
	case q != nil && q.outer != q.inner:
		members["requestId"] = q.outer
	case q == nil && head.RequestID == "":
		members["requestId"] = wire.NewID()
	}
	if head.Type == wire.TypeProcessStopped {
		if m, ok := s.done(); ok {
			members["messageId"], members["threadId"] = m.id, m.thread
			s.ended(m, frame)
		}
	}
	out, err := wire.With(frame, members)
	if err != nil {
		s.refuse(head, err)
		return
	}
	s.h.record(s.a, event{frame: out, asks: q})
}

// answered gives the agent an answer of the platform.
func (q *question) deliver(frame []byte) {
	var id any
	if q.inner != "" {
		id = q.inner
	}
	if q.inner != q.outer {
		back, err := wire.With(frame, map[string]any{"requestId": id})
		if err != nil {
			q.agent.h.log.Warn("answer not given to the agent", "agent", q.agent.a.id, "error", err)
			return
		}
		frame = back
	}
	q.span.End(nil)
	q.agent.Deliver(frame)
	if q.inner == "" {
		q.agent.next(wire.Header{Type: q.typ, Action: q.action})
	}
}
