package agenthost

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/agentcall"
	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// firstMessage is how long after its connection, at the latest, an agent is given
	// its message: an SDK that gets it in the same moment may lose it.
	firstMessage = 50 * time.Millisecond
	// partingTime is how long an agent may run on without its connection.
	partingTime = 5 * time.Second
	// maxQueuedMessages is how many messages wait for an agent that starts.
	maxQueuedMessages = 1024
	// maxSpeakers is how many agents with a connection run at once.
	maxSpeakers = 64
	// secretMark parts the id of the provider's connection from the agent's secret in
	// its parentId, which every SDK shows when it connects.
	secretMark = "~"
)

// agentIDs are those that an agent with a connection may have.
var agentIDs = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// launch is how an agent's process is started.
type launch struct {
	program string
	argv    []string
	dir     string
	environ []string
}

// message is one that an agent works on.
type message struct {
	id, thread string
	span       *telemetry.Span
}

// speaker is an agent that connects and speaks, as those with the SDK do. It lives on
// when it has done what a message wants, and is given the next one.
type speaker struct {
	rules  rules // who answers what it asks
	h      *Host
	r      Report
	a      *agent
	secret string
	caller *agentcall.Caller
	life   context.Context // ends when the process has
	end    context.CancelFunc

	// Under switchboard.mu.
	waiting  int
	answered []wire.ID

	mu        sync.Mutex
	proc      *command // nil until it is started
	pid       int
	stopped   bool          // before it was started
	link      *link.Link    // nil until it has connected
	there     chan struct{} // closed when it has connected
	ready     bool          // takes messages
	queue     [][]byte      // for when it is ready
	open      []message
	idle      chan struct{}       // closed when open becomes empty; nil while nobody waits
	unnamed   map[string][]asking // requests without an id that wait for one of their type
	cause     error               // why the runtime ended it
	lastWords tail
}

// asking is a request that waits for its turn.
type asking struct {
	head  wire.Header
	frame []byte
}

// speak starts an agent that connects. prepare, which may take long, says how; it is
// called once.
func (h *Host) speak(ctx context.Context, r Report, prepare func(context.Context) (*launch, error)) (Agent, error) {
	if !agentIDs.MatchString(r.a.id) {
		return nil, wire.Errorf(wire.Invalid, "start the agent: its id is to be of letters, digits, dots, dashes and underscores, 128 at most, and begin with a letter or digit")
	}
	s := &speaker{h: h, r: r, a: r.a, secret: rand.Text(), there: make(chan struct{}), unnamed: map[string][]asking{}, rules: h.rules(ctx)}
	if h.speakers() >= maxSpeakers {
		return nil, wire.Errorf(wire.Unavailable, "start the agent: %d agents run already", maxSpeakers)
	}
	s.queue, s.open = [][]byte{r.Envelope}, []message{{r.a.message, r.a.thread, r.a.span}}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	port, err := h.endpoint.expect(s)
	if err != nil {
		s.end()
		return nil, err
	}
	s.caller = h.calls.Caller(agentcall.Agent{ID: s.a.id, InstanceID: s.a.instance, ThreadID: s.a.thread, Say: s.say, Tell: s.tell, Watch: s.served})
	h.mu.Lock()
	s.a.speaker = s
	h.mu.Unlock()
	h.wg.Go(func() { s.run(ctx, port, prepare) })
	return s, nil
}

// run starts the process and sees that it connects.
func (s *speaker) run(ctx context.Context, port int, prepare func(context.Context) (*launch, error)) {
	l, err := prepare(ctx)
	if err != nil {
		s.over(wire.ProcessStopped{Problem: wire.ProblemOf(err)})
		return
	}
	c := newCommand(func(pid int) { s.pid = pid }, s.print, s.exited)
	s.mu.Lock()
	stopped := s.stopped
	if !stopped {
		s.proc = c
		err = c.start(ctx, s.h, &exec.Cmd{Path: l.program, Args: l.argv, Dir: l.dir, Env: append(l.environ, s.variables(port)...)}, s.r)
	}
	s.mu.Unlock()
	if stopped {
		err = wire.Errorf(wire.NotRunning, "the agent was stopped before it began")
	}
	if err != nil {
		s.over(wire.ProcessStopped{Problem: wire.ProblemOf(err)})
		return
	}
	timer := time.NewTimer(s.h.opt.ConnectTimeout)
	defer timer.Stop()
	select {
	case <-s.there:
	case <-c.process.Gone():
	case <-timer.C:
		s.fail(wire.Errorf(wire.Timeout, "the agent did not connect within %v", s.h.opt.ConnectTimeout))
	}
}

// variables tell an agent where it connects, and who it is.
func (s *speaker) variables(port int) []string {
	return []string{
		wire.EnvServerPort + "=" + strconv.Itoa(port), wire.EnvServerHost + "=127.0.0.1",
		wire.EnvAgentID + "=" + s.a.id, wire.EnvParentID + "=" + s.a.parent + secretMark + s.secret,
		"connectionId=conn-" + strconv.FormatInt(time.Now().UnixMilli(), 10) + "-" + rand.Text()[:9],
		"threadId=" + s.a.thread,
	}
}

// fail ends the agent for a reason of the runtime's; the first counts.
func (s *speaker) fail(why error) {
	s.mu.Lock()
	if s.cause == nil {
		s.cause = why
	}
	s.mu.Unlock()
	s.h.log.Warn("agent ended", "agent", s.a.id, "error", why)
	s.Stop(s.h.opt.StopGrace)
}

// Stop implements Agent.
func (s *speaker) Stop(grace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped = true; s.proc != nil {
		s.proc.Stop(grace)
	}
}

// Interrupt asks the agent to leave what it works on, and stops it when it has not
// ended that within grace. It returns at once.
func (s *speaker) Interrupt(frame []byte, grace time.Duration) {
	s.mu.Lock()
	if len(s.open) == 0 {
		s.mu.Unlock()
		return
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	if !s.Deliver(frame) {
		s.Stop(grace)
		return
	}
	s.h.wg.Go(func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-idle:
		case <-s.life.Done():
		case <-timer.C:
			s.fail(wire.Errorf(wire.Timeout, "the agent was stopped, and did not end by itself within %v", grace))
		}
	})
}

// busy reports whether the agent works on a message.
func (s *speaker) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) > 0
}

// further gives the agent another message to work on; false when it takes none.
func (s *speaker) further(m message, frame []byte) bool {
	s.mu.Lock()
	s.open = append(s.open, m)
	s.mu.Unlock()
	if s.Deliver(frame) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := slices.Index(s.open, m); at >= 0 {
		s.open = slices.Delete(s.open, at, at+1)
	}
	return false
}

// Deliver implements Agent.
func (s *speaker) Deliver(frame []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.life.Err() != nil, s.stopped:
		return false
	case !s.ready:
		if len(s.queue) >= maxQueuedMessages {
			return false
		}
		s.queue = append(s.queue, frame)
		return true
	}
	return s.send(frame)
}

// send queues a frame for the agent, under mu.
func (s *speaker) send(frame []byte) bool {
	err := s.link.Send(frame)
	if errors.Is(err, link.ErrOverflow) {
		go s.fail(wire.Errorf(wire.Unavailable, "the agent does not read what is sent to it"))
	}
	return err == nil
}

// say gives the agent an answer, and waits while it reads slowly.
func (s *speaker) say(frame []byte) {
	s.mu.Lock()
	l := s.link
	s.mu.Unlock()
	if l == nil {
		return
	}
	if err := l.SendWait(s.life, frame); err != nil && s.life.Err() == nil && !errors.Is(err, link.ErrClosed) {
		s.h.log.Warn("answer not given to the agent", "agent", s.a.id, "error", err)
	}
}

// print tells what the agent prints.
func (s *speaker) print(stream string, data []byte) {
	s.lastWords.add(data)
	s.r.Output(stream, data)
}

// greeting is what the agent hears first.
func (s *speaker) greeting() []byte {
	return encode(&wire.Registered{
		Type: wire.TypeRegistered, ConnectionID: s.a.id, ConnectionType: wire.RuntimeClientAgent, ThreadID: s.a.thread,
		Message: "Successfully auto-registered from connection parameters", RegistrationType: "auto",
		ParentID: s.a.parent, AgentInstanceID: s.a.instance,
	})
}

// connected takes the agent's connection. A later one takes the place of an earlier.
func (s *speaker) connected(l *link.Link) (link.Handler, error) {
	s.mu.Lock()
	before := s.link
	if s.life.Err() != nil {
		s.mu.Unlock()
		return link.Handler{}, wire.Errorf(wire.NotRunning, "the agent has ended")
	}
	if s.link = l; before == nil {
		close(s.there)
	}
	s.mu.Unlock()
	if before == nil {
		s.r.Started(s.pid)
	} else {
		s.h.log.Warn("the agent connected again", "agent", s.a.id)
		s.h.wg.Go(func() { cut(before) })
	}
	var first *time.Timer
	return link.Handler{
		Up: func(link.Up) { first = time.AfterFunc(firstMessage, s.isReady) },
		Message: func(m link.Message) {
			s.isReady()
			s.heard(m.Data)
		},
		Down: func(error) {
			first.Stop()
			s.mu.Lock()
			gone := s.link == l
			s.mu.Unlock()
			if gone {
				s.h.wg.Go(s.parted)
			}
		},
	}, nil
}

// cut ends a connection at once.
func cut(l *link.Link) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.Close(ended)
}

// isReady gives the agent what was kept for it.
func (s *speaker) isReady() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		return
	}
	s.ready = true
	for _, frame := range s.queue {
		s.send(frame)
	}
	s.queue = nil
}

// parted ends an agent that has lost its connection: no SDK connects again.
func (s *speaker) parted() {
	timer := time.NewTimer(partingTime)
	defer timer.Stop()
	select {
	case <-s.life.Done():
	case <-timer.C:
		s.fail(wire.Errorf(wire.Unavailable, "the agent has closed its connection and not ended"))
	}
}

// done notes that the agent has ended a message: the oldest, as it does not say which.
func (s *speaker) done() (m message, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 {
		return message{}, false
	}
	m, s.open = s.open[0], s.open[1:]
	if len(s.open) == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
	return m, true
}

// exited tells how the process ended.
func (s *speaker) exited(end wire.ProcessStopped) {
	s.mu.Lock()
	cause := s.cause
	s.mu.Unlock()
	switch {
	case cause != nil:
		end.Problem = wire.ProblemOf(cause)
	case end.Error == "":
		end.Problem = wire.ProblemOf(errors.New("the agent ended before it answered"))
	}
	if said := s.lastWords.String(); said != "" {
		end.Error += fmt.Sprintf("; it printed last: %q", said)
	}
	s.over(end)
}

// over tells everybody that the agent is gone. Every message that it has not ended gets
// its end now.
func (s *speaker) over(end wire.ProcessStopped) {
	s.end()
	s.h.endpoint.forget(s)
	s.caller.Close()
	s.h.asked.leave(s)
	s.mu.Lock()
	l, open := s.link, s.open
	s.open = nil
	s.mu.Unlock()
	if l != nil {
		cut(l)
	}
	end.Synthetic = true
	for _, m := range open {
		m.span.End(end.Err())
	}
	if len(open) == 0 {
		s.h.record(s.a, event{last: true, frame: encode(&wire.Notification{
			Type: wire.TypeNotification, Action: wire.ActionAgentGone, Timestamp: time.Now().UnixMilli(),
			Data: map[string]any{"clientId": s.a.id, "connectionType": wire.RuntimeClientAgent, "agentInstanceId": s.a.instance},
		})})
		return
	}
	for i, m := range open {
		one := end
		one.Type, one.AgentID, one.AgentInstanceID = wire.TypeProcessStopped, s.a.id, s.a.instance
		one.ThreadID, one.MessageID, one.Timestamp = m.thread, m.id, time.Now().UnixMilli()
		s.h.record(s.a, event{end: &one, last: i == len(open)-1})
	}
}

// maxTail is how much of what an agent printed last is told when it fails.
const maxTail = 2 << 10

// tail keeps the end of what was printed. Its methods are safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) add(data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, data...)
	if over := len(t.kept) - maxTail; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
