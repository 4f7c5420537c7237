package agentcall

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/procgroup"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// maxShown is how much of what is to be written a person is shown.
	maxShown = 64 << 10
	// maxReason is how much of a person's reason an agent hears.
	maxReason       = 2000
	approvalTimeout = 5 * time.Minute
)

// approvals are the questions that wait for a person, by the message's id.
type approvals struct {
	mu      sync.Mutex
	waiting map[string]chan string // takes what the person says
}

// allow returns nil when the request may be carried out. It asks a person where the
// policy wants that, and waits for the answer.
func (c *Caller) allow(ctx context.Context, r *request) error {
	if r.verb.need == needNothing {
		return nil
	}
	s, err := c.subjectOf(r)
	if err != nil {
		return err
	}
	policy := &c.s.opt.Policy
	v, by := policy.decide(ctx, s)
	switch v {
	case denied:
		c.audit(s, "denied", by)
		if by == "mode "+string(ReadOnly) {
			return wire.Errorf(wire.Permission, "agents may only read in this environment: %s is not allowed", s.describe())
		}
		return wire.Errorf(wire.Permission, "the policy of this environment does not allow %s (%s)", s.describe(), by)
	case asked:
		c.audit(s, "asked", by)
		return c.askPerson(ctx, r, s)
	default:
	}
	if s.need != needRead || !strings.HasPrefix(by, "mode ") {
		c.audit(s, "allowed", by)
	}
	return nil
}

// describe names the request in a sentence.
func (s *subject) describe() string {
	if s.line != "" {
		return "the command " + strconv.Quote(cut(s.line, maxAudited))
	}
	what := map[need]string{needRead: "reading ", needWrite: "writing "}[s.need]
	return what + strings.Join(s.shown(), ", ")
}

// approval is what a person is shown.
type approval struct {
	Type            string  `json:"type"`
	ActionType      string  `json:"actionType"`
	TemplateType    string  `json:"templateType"`
	Sender          string  `json:"sender"`
	MessageID       string  `json:"messageId"`
	ThreadID        string  `json:"threadId"`
	AgentID         string  `json:"agentId"`
	AgentInstanceID string  `json:"agentInstanceId"`
	Timestamp       string  `json:"timestamp"` // in milliseconds
	Payload         payload `json:"payload"`
}

type payload struct {
	Type       string   `json:"type"` // file, folder or command
	Path       string   `json:"path"`
	Paths      []string `json:"paths,omitzero"` // when there are several
	Content    string   `json:"content"`
	Truncated  bool     `json:"truncated,omitzero"`
	Action     string   `json:"action"` // the request
	StateEvent string   `json:"stateEvent"`
}

// askPerson waits until a person allows a request; for no other is that leave good.
func (c *Caller) askPerson(ctx context.Context, r *request, s *subject) error {
	a := approval{
		Type: "message", ActionType: "WRITEFILE", Sender: "agent", MessageID: string(wire.NewID()), ThreadID: c.agent.ThreadID,
		AgentID: c.agent.ID, AgentInstanceID: c.agent.InstanceID, Timestamp: strconv.FormatInt(time.Now().UnixMilli(), 10),
		Payload: payload{Type: "file", Content: s.content, Action: s.action, StateEvent: "askForConfirmation"},
	}
	if a.ThreadID == "" {
		a.ThreadID = string(r.RequestID)
	}
	shown := s.shown()
	switch {
	case s.line != "":
		a.ActionType = "EXECUTECOMMAND"
		a.Payload.Type, a.Payload.Path, a.Payload.Content = "command", s.root, s.line
	case strings.Contains(r.Action, "Folder"):
		a.Payload.Type = "folder"
	}
	if s.line == "" && len(shown) > 0 {
		a.Payload.Path = shown[0]
	}
	if len(shown) > 1 {
		a.Payload.Paths = shown
	}
	a.TemplateType = a.ActionType
	if len(a.Payload.Content) > maxShown {
		a.Payload.Content, a.Payload.Truncated = cut(a.Payload.Content, maxShown), true
	}
	frame, err := wire.Marshal(&a)
	if err != nil {
		return err
	}
	said := c.approvals.add(a.MessageID)
	defer c.approvals.remove(a.MessageID)
	wait := c.s.opt.Policy.Timeout
	if wait == 0 {
		wait = approvalTimeout
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	c.agent.Tell(frame)
	select {
	case text := <-said:
		if strings.EqualFold(text, "approve") {
			c.audit(s, "approved", "person")
			return nil
		}
		c.audit(s, "rejected", "person")
		if text == "" {
			text = "the answer was not approve"
		}
		return wire.Errorf(wire.Permission, "rejected: %s", cut(text, maxReason))
	case <-timer.C:
		c.audit(s, "timeout", "nobody")
		return wire.Errorf(wire.Permission, "rejected: nobody has answered within %s", wait)
	case <-ctx.Done():
		c.audit(s, "rejected", "end of the agent")
		return wire.Errorf(wire.Permission, "rejected: the agent ends")
	}
}

func (a *approvals) add(id string) chan string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		a.waiting = map[string]chan string{}
	}
	said := make(chan string, 1)
	a.waiting[id] = said
	return said
}

func (a *approvals) remove(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, id)
}

// Decide takes a confirmationResponse that answers a question of this Caller's, and
// returns false for any other frame. Only the text "approve", in any case, approves;
// any other is the reason of a refusal, also none. Of several answers the first counts.
func (c *Caller) Decide(head wire.Header, frame []byte) bool {
	if head.Type != "confirmationResponse" {
		return false
	}
	var got struct {
		MessageID   wire.ID  `json:"messageId"`
		UserMessage wire.Raw `json:"userMessage"`
		Message     wire.Raw `json:"message"`
	}
	bad := wire.Unmarshal(frame, &got) != nil
	id := string(got.MessageID)
	if id == "" {
		id = string(head.RequestID)
	}
	text := ""
	if !bad && wire.Unmarshal(got.UserMessage, &text) != nil {
		_ = wire.Unmarshal(got.Message, &text) // no text is an answer, too
	}
	a := &c.approvals
	a.mu.Lock()
	defer a.mu.Unlock()
	said, ok := a.waiting[id]
	if !ok {
		return false
	}
	delete(a.waiting, id)
	said <- strings.TrimSpace(text)
	return true
}

// cut is the beginning of a text, of at most n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	text = text[:n]
	return text[:n-procgroup.Torn([]byte(text[max(0, n-4):]))]
}
