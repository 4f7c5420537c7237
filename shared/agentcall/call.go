package agentcall

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// Options describe the environment. Only Files is needed.
type Options struct {
	Files workspace.FS // of the workspace
	Name  string       // of the project, for agents to see
	// Environ is the environment of commands and of git, as os.Environ gives it, without
	// what must not reach agents.
	Environ []string
	// Policy says what agents may do without asking; the zero value lets them do all
	// that the environment does.
	Policy Policy
	// Audit gets a line of JSON for each decision of the policy that is more than that a
	// file may be read, in one Write each. Writes do not overlap; nil gets nothing.
	Audit io.Writer
	// Network lets agents push, pull and clone with git.
	Network bool
	// CommandTimeout is how long a command may take that has an end; default 2 min.
	CommandTimeout time.Duration
	// TellReads tells the platform of each file that was read, too, and not only of
	// those that were written.
	TellReads bool
	Log       *slog.Logger // nil logs nothing
}

// Server answers the requests of all agents of an environment. Its methods are safe
// for concurrent use.
type Server struct {
	opt      Options
	auditing sync.Mutex // held while Audit is written to
}

// New prepares a server. It fails with kind Invalid when the options are wrong.
func New(o Options) (*Server, error) {
	if o.Files == nil {
		return nil, wire.Errorf(wire.Invalid, "answer agents: there are no files")
	}
	if err := o.Policy.check(); err != nil {
		return nil, wire.Errorf(wire.Invalid, "answer agents: policy: %w", err)
	}
	if o.CommandTimeout == 0 {
		o.CommandTimeout = 2 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{opt: o}, nil
}

// Agent is a running agent and the ways to it and from it.
type Agent struct {
	ID, InstanceID, ThreadID string
	// Say gives a frame to the agent, and Tell one to the platform. Both may wait, and
	// are called from several goroutines.
	Say, Tell func(frame []byte)
	// Watch hears of each request that is answered here, before it is carried out, and
	// the function it returns of its end, unless the Caller is closed before. Neither may
	// wait. Nil watches nothing.
	Watch func(head wire.Header, frame []byte) (ended func(error))
}

// Caller is one agent whose requests are answered. Its methods are safe for concurrent
// use, but Serve, which one goroutine calls.
type Caller struct {
	s     *Server
	agent Agent
	ctx   context.Context // ends with Close
	end   context.CancelFunc
	work  sync.WaitGroup // the lane and commands
	lane  chan *request

	mu        sync.Mutex // keeps end and the growth of work apart
	terminal  terminal
	approvals approvals
}

// maxQueued is how many requests of an agent wait for their turn before no more of it
// are read.
const maxQueued = 256

// Caller begins to answer an agent. It must be closed.
func (s *Server) Caller(a Agent) *Caller {
	c := &Caller{s: s, agent: a, lane: make(chan *request, maxQueued), terminal: terminal{mark: string(wire.NewID())}}
	c.ctx, c.end = context.WithCancel(context.Background())
	c.work.Go(c.serveLane)
	return c
}

// Close gives up what the agent waits for, ends the commands that it has started and
// returns when nothing of it is at work. It is idempotent.
func (c *Caller) Close() {
	c.mu.Lock()
	c.end()
	c.mu.Unlock()
	c.work.Wait()
	c.terminal.killRest()
}

// spawn runs f beside all else of the agent, and returns false when the Caller is
// closed.
func (c *Caller) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return false
	}
	c.work.Go(f)
	return true
}

// request is one request of an agent.
type request struct {
	wire.Header
	frame []byte
	verb  verb
	ended func(error) // see Agent.Watch; never nil
}

// verb is a kind of request that is answered here.
type verb struct {
	response string // the answer's type
	// unnamed is that type for a request without an id, where the SDK that sends none
	// waits for another.
	unnamed string
	need    need // what it takes, for the policy
	// do carries the request out. What it returns is encoded into the answer beside
	// type, requestId and success, none of which it holds.
	do func(ctx context.Context, c *Caller, r *request) (any, error)
	// apart runs it beside the agent's other requests, which as a rule are carried out
	// one after the other, in the order in which they came. It sends its own answers.
	apart func(ctx context.Context, c *Caller, r *request)
}

// find is the verb of a request, if it is one that is answered here.
func find(h wire.Header) (verb, bool) {
	for _, table := range []map[string]map[string]verb{fileVerbs, projectVerbs, gitVerbs, terminalVerbs} {
		if actions, ok := table[h.Type]; ok {
			v, ok := actions[h.Action]
			return v, ok
		}
	}
	return verb{}, false
}

// Serve takes a request that is answered here, and returns false for any other. The
// answer is given to Say later. It waits while many requests of the agent wait.
func (c *Caller) Serve(head wire.Header, frame []byte) bool {
	v, ok := find(head)
	if !ok {
		return false
	}
	r := &request{Header: head, frame: frame, verb: v, ended: func(error) {}}
	if c.agent.Watch != nil {
		r.ended = c.agent.Watch(head, frame)
	}
	if v.apart != nil {
		v.apart(c.ctx, c, r)
		return true
	}
	select {
	case c.lane <- r:
	case <-c.ctx.Done():
		r.ended(c.ctx.Err())
	}
	return true
}

// serveLane carries requests out in their order.
func (c *Caller) serveLane() {
	for {
		select {
		case r := <-c.lane:
			c.carryOut(r)
		case <-c.ctx.Done():
			return
		}
	}
}

func (c *Caller) carryOut(r *request) {
	var body any
	err := c.allow(c.ctx, r)
	defer func() { r.ended(err) }()
	if err == nil {
		body, err = r.verb.do(c.ctx, c, r)
	}
	if c.ctx.Err() != nil {
		return // nobody waits for it
	}
	c.answer(r, body, err)
}

// answer is the envelope of every answer.
type answer struct {
	Type         string    `json:"type"`
	RequestID    wire.ID   `json:"requestId,omitzero"` // as the request had it
	ClientID     string    `json:"clientId"`
	Success      bool      `json:"success"`
	Timestamp    wire.Time `json:"timestamp"`
	Message      string    `json:"message,omitzero"` // of an error: the same as Error
	wire.Problem `json:",embed"`
	Body         wire.Raw `json:",embed"`
}

// answer says what came of a request.
func (c *Caller) answer(r *request, body any, err error) {
	typ := r.verb.response
	if r.RequestID == "" && r.verb.unnamed != "" {
		typ = r.verb.unnamed
	}
	c.reply(r, typ, body, err)
}

// reply says what came of a request under a type of its own.
func (c *Caller) reply(r *request, typ string, body any, err error) {
	a := answer{Type: typ, RequestID: r.RequestID, ClientID: c.agent.ID, Success: err == nil, Timestamp: wire.Now()}
	if err != nil {
		a.Problem = wire.ProblemOf(err)
		a.Error = strings.ToValidUTF8(a.Error, "\uFFFD") // else there would be no answer
		a.Message = a.Error
	}
	if body != nil {
		raw, fail := wire.Marshal(body)
		if fail != nil {
			c.reply(r, typ, nil, fail)
			return
		}
		a.Body = raw
	}
	frame, fail := wire.Marshal(&a)
	if fail != nil {
		c.s.opt.Log.Error("answer of an agent's request", "type", r.Type, "action", r.Action, "error", fail)
		if body != nil {
			c.reply(r, typ, nil, fail)
		}
		return
	}
	c.agent.Say(frame)
}
