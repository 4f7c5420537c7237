package agenthost

import (
	"context"
	"sync"

	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// maxAsked is how many requests of one agent may wait for the platform.
	maxAsked = 4096
	// keptAnswered is how many answered requests of one agent are remembered, so that an
	// answer that comes twice does not pass for one to another request.
	keptAnswered = 1024
)

// question is a request of an agent that the platform is to answer.
type question struct {
	agent       *speaker
	inner       wire.ID // the request's id as the agent wrote it; "" for none
	outer       wire.ID // the id that the platform sees
	typ, action string
	span        *telemetry.Span // until the answer

	told     bool   // somebody was asked; under Host.mu
	answered bool   // under switchboard.mu
	by       string // type of the answer
}

// switchboard knows which agent waits for which answer. Its zero value is ready. Its
// methods are safe for concurrent use.
type switchboard struct {
	mu  sync.Mutex
	all map[wire.ID]*question
}

// ask enters a request. Its outer id is the agent's own, unless it has none or one that
// is in use: no agent can bring another's answer to itself by guessing its id. It
// returns nil when the agent has asked too much.
func (s *switchboard) ask(a *speaker, head wire.Header, span *telemetry.Span) *question {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.waiting >= maxAsked {
		return nil
	}
	q := &question{agent: a, inner: head.RequestID, outer: head.RequestID, typ: head.Type, span: span}
	if s.all[q.outer] != nil {
		q.outer = ""
	}
	q.outer = q.outer.OrNew()
	if s.all == nil {
		s.all = map[wire.ID]*question{}
	}
	s.all[q.outer] = q
	a.waiting++
	return q
}

// answer finds who waits for an answer. The second of one type, and one to an agent that
// is gone, is nobody's: q is nil, and known tells that it was asked for once.
func (s *switchboard) answer(id wire.ID, typ string) (q *question, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q = s.all[id]
	switch {
	case q == nil:
		return nil, false
	case q.answered && q.by == typ:
		return nil, true
	case q.answered:
		return q, true // a further frame, of another type
	}
	q.answered, q.by = true, typ
	a := q.agent
	a.waiting--
	if a.answered = append(a.answered, q.outer); len(a.answered) > keptAnswered {
		delete(s.all, a.answered[0])
		a.answered = a.answered[1:]
	}
	return q, true
}

// open reports whether a request has not been answered.
func (s *switchboard) open(q *question) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !q.answered
}

// of is the question that the platform sees under an id; nil when none waits.
func (s *switchboard) of(id wire.ID) *question {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.all[id]
	if q == nil || q.answered {
		return nil
	}
	return q
}

// leave forgets what an agent has asked: nobody waits for it.
func (s *switchboard) leave(a *speaker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, q := range s.all {
		if q.agent == a {
			q.answered = true
			q.span.End(context.Canceled)
			delete(s.all, id)
		}
	}
}
