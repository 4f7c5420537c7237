package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/redact"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// serverPatience is how long a provider goes on without its server before it
// detaches and ends. A server that restarts comes back well within it.
const serverPatience = 10 * time.Minute

// identity is under which ids a provider speaks of itself and its environment.
type identity struct{ provider, environment string }

// session is one provider process's conversation with its server, from the
// first dial to the last frame.
type session struct {
	def      Definition
	manifest *manifest.Manifest
	env      map[string]string // the process environment
	config   map[string]any    // ENVIRONMENT_CONFIG
	store    *resource.Store
	redactor *redact.Redactor
	log      *slog.Logger

	// ctx is what operations run under; it outlives the request to leave, so
	// that detaching can finish, and ends with the session.
	ctx    context.Context
	cancel context.CancelFunc
	link   *link.Link

	life        *lifecycle
	dispatch    *dispatcher
	heart       *heart
	ids         atomic.Pointer[identity]
	legacyDiff  atomic.Bool
	keepRunning atomic.Bool
	followUps   atomic.Bool
	malformed   rate.Sometimes
	unread      rate.Sometimes
	observed    atomic.Pointer[observation] // nil: nothing is traced or counted

	over     chan struct{} // closed when the session is to end
	overOnce sync.Once
	cause    error // why, set before over is closed
	stuck    bool  // the provider's code does not come back: nothing waits for it
}

// leave ends the session. The first cause counts; nil is a good end.
func (s *session) leave(cause error) {
	s.overOnce.Do(func() {
		s.cause = cause
		close(s.over)
	})
}

func (s *session) identity() identity { return *s.ids.Load() }

// identify settles the ids for a start: the message's own, else the process
// environment's, else the environment's name.
func (s *session) identify(start *wire.ProviderStart) identity {
	ids := identity{
		provider:    firstOf(start.ProviderID, s.env[wire.EnvProviderID], s.env[wire.EnvProviderIDUpper], start.EnvironmentName),
		environment: firstOf(start.EnvironmentID, s.env[wire.EnvEnvironmentID], start.EnvironmentName),
	}
	s.ids.Store(&ids)
	return ids
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// openRequest prepares an open: ids, configuration, log.
func (s *session) openRequest(start *wire.ProviderStart) (*OpenRequest, error) {
	ids := s.identify(start)
	req, err := newOpenRequest(start, s.manifest, s.config, ids)
	if err != nil {
		return nil, err
	}
	if _, ok := s.def.Provider.(Snapshotter); !ok && req.Settings.Snapshot != "" {
		return nil, wire.Errorf(wire.Unsupported, "configuration: snapshot is set, and environments of %s have no snapshots", s.manifest.Name)
	}
	req.Store = s.store
	req.Log = s.log.With("env", ids.environment)
	req.announce = func(id resource.ID) {
		s.sendJSON(wire.SetResourceID{Type: wire.TypeSetResourceID, ResourceID: string(id), ProviderID: ids.provider, EnvironmentID: ids.environment})
	}
	req.progress = func(p wire.Progress) {
		req.Log.Debug("progress", "phase", p.Phase, "state", p.State, "ms", p.Elapsed, "detail", p.Message)
		p.Message = s.redactor.String(p.Message)
		s.sendJSON(wire.Notification{Type: wire.TypeNotification, Action: wire.ActionProgress, Data: p, Timestamp: time.Now().UnixMilli()})
	}
	s.observe(req)
	s.legacyDiff.Store(req.Settings.LegacyDiffError)
	s.keepRunning.Store(req.Settings.KeepRunning)
	s.followUps.Store(req.Settings.ForwardFollowUps)
	return req, nil
}

// run speaks with the server until the session is over, then lets go of what is
// open. It returns nil when the session ended well.
func (s *session) run(ctx context.Context, endpoint wire.Endpoint) error {
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer s.cancel()
	s.over = make(chan struct{})
	s.ids.Store(&identity{
		provider:    firstOf(s.env[wire.EnvProviderID], s.env[wire.EnvProviderIDUpper], s.manifest.UniqueID),
		environment: s.env[wire.EnvEnvironmentID],
	})
	s.malformed = rate.Sometimes{First: 3, Interval: time.Minute}
	s.unread = rate.Sometimes{First: 3, Interval: time.Minute}
	s.heart = &heart{s: s}
	s.life = newLifecycle(s)
	s.dispatch = newDispatcher(s.ctx, s.sendWait)
	s.dispatch.failure = s.failure
	s.dispatch.panics = func(what string, p any, stack string) {
		s.log.Error("panic", "in", what, "panic", fmt.Sprint(p), "stack", stack)
	}

	target := endpoint.URL.String()
	ready := make(chan struct{}) // the first message must find s.link set
	s.link = link.Dial(s.ctx, link.Dialer{
		URL: func(context.Context) (string, http.Header, error) { return target, nil, nil },
	}, link.Handler{
		Up: func(up link.Up) {
			<-ready
			s.log.Info("connected", "generation", up.Generation)
			if up.Generation > 1 {
				s.observed.Load().reconnected(peerServer)
			}
			if s.heart.beats() {
				s.heartNow()
			}
		},
		Message: s.receive,
		Down:    func(err error) { s.log.Warn("server connection lost", "error", err) },
	}, link.Options{GiveUp: serverPatience, Gather: true, Again: repeated, Logger: s.log})
	close(ready)

	var wg sync.WaitGroup
	wg.Go(s.life.run)
	select {
	case <-s.over:
	case <-ctx.Done():
		s.leave(s.letGo(context.Cause(ctx)))
	case <-s.link.Done():
		err := s.link.Err()
		s.leave(errors.Join(fmt.Errorf("the server is gone: %w", err), s.letGo(err)))
	}
	s.leave(nil)
	s.heart.end()
	if !s.stuck {
		wg.Wait()
		s.heart.wg.Wait()
	}
	bye, cancel := context.WithTimeout(s.ctx, 2*time.Second)
	defer cancel()
	_ = s.link.Close(bye) // a server that does not take the rest is not our failure
	s.observed.Load().close(s.log)
	return s.cause
}

// letGo detaches what is open and waits for that. The error is that of a
// provider whose code does not come back.
func (s *session) letGo(cause error) error {
	s.log.Info("letting go", "because", errText(cause))
	done := make(chan struct{})
	s.life.ask(command{kind: cmdDetach, cause: cause, reply: once(func(_ any, err error) {
		if err != nil {
			s.log.Error("detach", "error", err)
		}
		close(done)
	})})
	limit := letGoLimit
	if o := s.life.current.Load(); o != nil {
		limit += o.req.Settings.Timeouts.Cleanup
	}
	select {
	case <-done:
		return nil
	case <-time.After(limit):
		s.stuck = true
		return wire.Errorf(wire.Timeout, "detach: the environment was not let go of within %v; what is held of it ends with the process", limit)
	}
}

// letGoLimit is how much longer than its own limit a provider's code may take to
// let go: it may ignore its context.
const letGoLimit = 5 * time.Second

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// receive handles one frame of the server. It runs on the link's goroutine and
// does not block, but for a quick job, which lets the link go on when it does.
func (s *session) receive(m link.Message) {
	head, err := wire.Peek(m.Data)
	if err != nil {
		// Without a type and an id there is nobody to answer.
		s.malformed.Do(func() { s.log.Warn("unreadable frame from the server", "bytes", len(m.Data), "error", err) })
		return
	}
	verb, known := wire.VerbOf(head)
	if verb.Kind != wire.File {
		m.Flush()
	}
	switch {
	case !known && head.Type == wire.TypeMessageResponse && !s.followUps.Load():
		s.log.Debug("follow-up not forwarded", "setting", "forwardFollowUps")
	case !known && wire.RuntimeRequest(head.Type):
		s.ask(head, m.Data)
	case !known:
		s.forward(head, m.Data)
	case verb.Kind == wire.Ack:
	case !s.def.supports(verb.Type):
		err := s.unsupported(verb.Type)
		s.arrived(verb, head, m.Data).end(err)
		s.refuse(verb, head, m.Data, err)
	default:
		s.handle(verb, head, m)
	}
}

func (s *session) unsupported(typ string) error {
	return wire.Errorf(wire.Unsupported, "%s is not supported by provider %s", typ, s.manifest.UniqueID)
}

// handle carries out a known request.
func (s *session) handle(verb wire.Verb, head wire.Header, m link.Message) {
	switch verb.Kind {
	case wire.Lifecycle:
		s.lifecycle(verb, head, m.Data)
	case wire.File:
		s.file(verb, head, m)
	case wire.Review:
		s.review(verb, head, m.Data)
	case wire.Agent:
		s.agent(verb, head, m.Data)
	case wire.Control:
		s.control(verb, head, m.Data)
	default: // an Ack needs no answer
	}
}

func (s *session) lifecycle(verb wire.Verb, head wire.Header, frame []byte) {
	id := head.RequestID
	seen := s.arrived(verb, head, frame)
	c := command{reply: once(func(result any, err error) { s.answer(verb, id, result, err) })}
	switch verb.Type {
	case wire.TypeProviderStart:
		start := &wire.ProviderStart{}
		c.kind, c.start = cmdStart, start
		if c.bad = wire.Unmarshal(frame, start); c.bad != nil {
			break // the plain answer names no environment
		}
		c.reply = once(func(result any, err error) {
			if err == nil {
				s.answer(verb, id, result, nil)
				return
			}
			if frame, fail := start.Failed(s.redactor.Error(err)); fail == nil {
				_ = s.send(frame) // send logs its failures
			}
		})
	case wire.TypeProviderStop:
		stop := &wire.ProviderStop{}
		c.bad = wire.Unmarshal(frame, stop)
		if c.bad == nil && stop.OnStop != "" {
			c.bad = RemovePolicy(stop.OnStop).check("providerStop")
		}
		c.kind, c.how = cmdStop, RemovePolicy(stop.OnStop)
	case wire.TypeCloseSignal:
		c.kind = cmdClose
	case wire.TypeEnvironmentRestart:
		restart := &wire.EnvironmentRestart{}
		c.bad = wire.Unmarshal(frame, restart)
		c.kind = cmdRestart
		c.reply = once(func(_ any, err error) { s.restarted(id, restart, err) })
	}
	c.reply = seen.before(c.reply)
	// The lifecycle's goroutine takes commands at once, whatever is under way.
	s.life.ask(c)
}

func (s *session) restarted(id wire.ID, req *wire.EnvironmentRestart, err error) {
	p := wire.ProblemOf(s.redactor.Error(err))
	s.sendJSON(wire.EnvironmentRestarted{
		Type: "environmentRestartResponse", EnvironmentID: firstOf(req.EnvironmentID, s.identity().environment),
		Success: err == nil, Message: p.Error, Code: p.Code, Timestamp: wire.Now(), RequestID: id.OrNew(),
	})
}

func (s *session) file(verb wire.Verb, head wire.Header, m link.Message) {
	req := &wire.FileRequest{}
	o, err := s.life.open()
	if err == nil {
		err = wire.Unmarshal(m.Data, req)
	}
	j := job{verb: verb, id: head.RequestID, deadline: time.Minute, yield: m.Release, seen: s.arrived(verb, head, m.Data)}
	if err == nil {
		j.deadline = o.req.Settings.Timeouts.FileOperations
		j.paths, j.write = o.files.Touches(verb.Type, req)
		j.quick = o.files.Quick(verb.Type)
	}
	j.run = func(ctx context.Context) (any, error) {
		if err != nil {
			return nil, err
		}
		return o.files.Do(ctx, verb.Type, req)
	}
	s.dispatch.submit(j)
}

func (s *session) review(verb wire.Verb, head wire.Header, frame []byte) {
	o, err := s.life.open()
	j := job{verb: verb, id: head.RequestID, deadline: time.Minute, seen: s.arrived(verb, head, frame)}
	if err == nil {
		j.deadline = o.req.Settings.Timeouts.Review
	}
	j.run = func(ctx context.Context) (any, error) {
		if err != nil {
			return nil, err
		}
		switch verb.Type {
		case wire.TypeGetDiffFiles:
			return o.env.(Differ).Diff(ctx)
		case wire.TypeMergeAsPatch, wire.TypeCreatePatchRequest:
			return o.env.(Patcher).Patch(ctx)
		default:
			req := &wire.SendPR{}
			if err := wire.Unmarshal(frame, req); err != nil {
				return nil, err
			}
			return o.env.(PullRequester).PullRequest(ctx, req)
		}
	}
	s.dispatch.submit(j)
}

// agent hands a prompt to the runtime. It is answered when the runtime's link
// has it; what becomes of the agent, the runtime says itself.
func (s *session) agent(verb wire.Verb, head wire.Header, frame []byte) {
	seen := s.arrived(verb, head, frame)
	err := s.startAgent(frame, seen)
	seen.end(err)
	s.answer(verb, head.RequestID, nil, err)
}

func (s *session) startAgent(frame []byte, seen *seen) error {
	o, err := s.life.open()
	if err != nil {
		return err
	}
	req := &wire.ProviderAgentStart{}
	if err := wire.Unmarshal(frame, req); err != nil {
		return err
	}
	prompt, err := wire.Peek(req.UserMessage)
	if err != nil || prompt.Type == "" {
		return wire.Errorf(wire.Invalid, "providerAgentStart: userMessage must be an object with a type, such as messageResponse")
	}
	if o.bridge == nil {
		return nil // executionMode local_thread_pool: the agent runs in the server's pool
	}
	if o.req.Settings.ForwardNarrative && req.NarrativeContext != nil {
		if err := o.bridge.sendJSON(wire.SetNarrative{Header: wire.Header{Type: wire.TypeSetNarrative}, NarrativeContext: req.NarrativeContext}); err != nil {
			return err
		}
	}
	o.bridge.agents.prompted(req.UserMessage)
	return s.sendTraced(o.bridge, prompt, req.UserMessage, seen.within(frame, req.UserMessage))
}

func (s *session) control(verb wire.Verb, head wire.Header, frame []byte) {
	seen := s.arrived(verb, head, frame)
	if verb.Type == wire.TypeProspectivePath {
		req := &wire.ProspectivePath{}
		err := wire.Unmarshal(frame, req)
		s.dispatch.submit(job{verb: verb, id: head.RequestID, deadline: time.Minute, seen: seen, run: func(ctx context.Context) (any, error) {
			if err != nil {
				return nil, err
			}
			plan, err := s.plan(req)
			if err != nil {
				return nil, err
			}
			place, err := s.def.Provider.(PathPlanner).PlanPath(ctx, plan)
			if err != nil {
				return nil, err
			}
			return wire.PlanOf(place), nil
		}})
		return
	}
	req := &wire.HeartbeatRequest{}
	err := wire.Unmarshal(frame, req)
	seen.end(err)
	if err != nil {
		s.refuse(verb, head, frame, err)
		return
	}
	if verb.Type == wire.TypeHeartbeatRequest {
		s.sendJSON(s.heart.answer(head.RequestID, req))
		return
	}
	s.sendJSON(s.heart.status(head.RequestID, req))
}

// forward passes a message that nobody here handles to the runtime.
func (s *session) forward(head wire.Header, frame []byte) {
	o, err := s.life.open()
	if err == nil && o.bridge == nil {
		err = wire.Errorf(wire.Unsupported, "this environment has no runtime")
	}
	if err == nil {
		err = s.forwardTraced(o.bridge, head, frame)
	}
	if err == nil {
		return
	}
	s.unread.Do(func() { s.log.Warn("message not forwarded", "type", head.Type, "error", err) })
	if errors.Is(err, link.ErrOverflow) {
		s.sendJSON(wire.Notification{
			Type: wire.TypeNotification, Action: "runtimeOverflow", Timestamp: time.Now().UnixMilli(),
			Data: map[string]any{"type": head.Type, "requestId": head.RequestID, "error": err.Error()},
		})
	}
}

// answer sends the one answer of a request.
func (s *session) answer(verb wire.Verb, id wire.ID, result any, err error) {
	var frame []byte
	if err == nil {
		frame, err = verb.Success(id, result)
	}
	if err != nil {
		frame, err = s.failure(verb, id, err)
	}
	if err == nil {
		_ = s.send(frame) // send logs its failures
	}
}

// refuse answers a request with an error.
func (s *session) refuse(verb wire.Verb, head wire.Header, frame []byte, err error) {
	switch verb.Type {
	case wire.TypeEnvironmentRestart:
		restart := &wire.EnvironmentRestart{}
		_ = wire.Unmarshal(frame, restart) // a malformed one names no environment
		s.restarted(head.RequestID, restart, err)
	case wire.TypeHeartbeatRequest, wire.TypeEnvironmentHeartbeat:
		ids := s.identity()
		beat := s.heart.provider()
		beat.Status, beat.RequestID, beat.Uptime = wire.Failing, head.RequestID.OrNew(), nil
		beat.Metadata = &wire.HeartbeatMetadata{Error: s.redactor.String(err.Error())}
		beat.ConnectedEnvironments = []string{}
		if verb.Type == wire.TypeHeartbeatRequest {
			s.sendJSON(beat)
			return
		}
		s.sendJSON(wire.EnvironmentStatus{
			Type: verb.Response, EnvironmentID: ids.environment, Status: wire.EnvironmentUnreachable, RemoteExecutorStatus: wire.ExecutorError,
			Timestamp: wire.Now(), Metadata: beat.Metadata, RequestID: head.RequestID.OrNew(),
		})
	default:
		s.answer(verb, head.RequestID, nil, err)
	}
}

// failure encodes an error answer, without secrets.
func (s *session) failure(verb wire.Verb, id wire.ID, err error) ([]byte, error) {
	err = s.redactor.Error(err)
	if verb.Type == wire.TypeGetDiffFiles && s.legacyDiff.Load() {
		return wire.Marshal(struct {
			Type         string `json:"type"`
			wire.Problem `json:",embed"`
			RequestID    wire.ID `json:"requestId"`
		}{"getDiffFiles", wire.ProblemOf(err), id.OrNew()})
	}
	return verb.Failure(id, err)
}

// send queues a frame for the server.
func (s *session) send(frame []byte) error {
	err := s.link.Send(frame)
	if err != nil && !errors.Is(err, link.ErrClosed) {
		s.log.Error("frame not sent", "bytes", len(frame), "error", err)
	}
	return err
}

// sendWait is send, but waits for a server that reads slowly.
func (s *session) sendWait(frame []byte) error {
	err := s.link.SendWait(s.ctx, frame)
	if err != nil && !errors.Is(err, link.ErrClosed) && !errors.Is(err, context.Canceled) {
		s.log.Error("frame not sent", "bytes", len(frame), "error", err)
	}
	return err
}

func (s *session) sendJSON(message any) {
	frame, err := wire.Marshal(message)
	if err != nil {
		s.log.Error("message not encoded", "message", fmt.Sprintf("%T", message), "error", err)
		return
	}
	_ = s.send(frame) // send logs its failures
}

// sendBeat sends a heartbeat while the server is connected. One that waits for
// a reconnect would tell the past.
func (s *session) sendBeat(message any) {
	if s.link.Status().Connected {
		s.observed.Load().beat(message)
		s.sendJSON(message)
	}
}

// heartNow sends both heartbeats at once.
func (s *session) heartNow() {
	s.sendBeat(s.heart.provider())
	s.heart.environment()
}
