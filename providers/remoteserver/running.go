package main

import (
	"cmp"
	"context"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/outpost"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// preStopLimit bounds preStop, which has a part of the time that a stop has.
	preStopLimit = 8 * time.Second
	// lookEvery is how often it is looked whether a runtime of which nothing is heard
	// still runs, and doubtPause how soon again when there was no answer.
	lookEvery  = 15 * time.Second
	doubtPause = 300 * time.Millisecond
	lookLimit  = 10 * time.Second
	// agentsLimit bounds the question for agents: a close waits for it.
	agentsLimit = 6 * time.Second
)

// running is a runtime on a host. It implements runtime.Handle.
type running struct {
	site    *site
	record  resource.RuntimeRecord
	token   string
	adopted bool
	forward bool // the host forwards to its listener; else a program of ours carries the bytes

	done  chan struct{}
	doubt chan struct{} // something speaks for its end
	letGo context.CancelFunc
	look  sync.WaitGroup
	once  sync.Once

	mu     sync.Mutex
	tried  net.Conn // that the host forwards; for the first who dials
	ending error    // why it has ended
}

// Start implements runtime.Launcher: it sees to the folder, and starts the runtime
// there.
func (s *site) Start(ctx context.Context, spec runtime.Spec) (runtime.Handle, error) {
	if err := os.MkdirAll(spec.Dir, 0o700); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "remote server: keep the runtime's token: %w", err)
	}
	token, err := runtime.TokenOf(spec.Dir)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "remote server: keep the runtime's token: %w", err)
	}
	spec.Agents.Env = slices.Concat(spec.Agents.Env, slices.Sorted(maps.Keys(s.cfg.environ)))
	launch := &outpost.Launch{
		Agents:   spec.Agents,
		Instance: spec.Instance, Name: spec.Name, Token: token, Protected: spec.Protected, Env: s.variables(spec.Env),
		OwnerTimeoutMS: spec.OwnerTimeout.Milliseconds(), StartTimeoutMS: spec.StartTimeout.Milliseconds(),
	}
	if up := spec.Upstream; up != nil {
		launch.Command, launch.Port = up.Command, cmp.Or(up.Port, upstreamPort)
	}
	answer, err := s.launch(ctx, launch)
	if err != nil {
		return nil, err
	}
	return s.handle(ctx, spec.Dir, answer.Record, token)
}

// upstreamPort is the port on the host that another agent server prefers.
const upstreamPort = 3100

// Adopt implements runtime.Launcher.
func (s *site) Adopt(ctx context.Context, spec runtime.Spec, rec resource.RuntimeRecord) (runtime.Handle, error) {
	if rec.Upstream != (spec.Upstream != nil) {
		return nil, wire.Errorf(wire.NotFound, "adopt the runtime: another kind is on record")
	}
	token, err := os.ReadFile(filepath.Join(rec.Dir, runtime.TokenFile))
	if err != nil {
		return nil, wire.Errorf(wire.NotFound, "adopt the runtime: %w", err)
	}
	answer, err := s.ask(ctx, &outpost.Request{Do: outpost.Adopt, Record: rec})
	if err != nil {
		return nil, err
	}
	h, err := s.handle(ctx, rec.Dir, answer.Record, string(token))
	if err != nil {
		return nil, err
	}
	h.adopted = true
	return h, nil
}

// variables are what agents and hooks have besides the host's own. No git of theirs
// takes what is above the files for their repository.
func (s *site) variables(more []string) []string {
	all := append(slices.Clone(more), "GIT_CEILING_DIRECTORIES="+s.facts.Folder.Path())
	for _, name := range slices.Sorted(maps.Keys(s.cfg.environ)) {
		all = append(all, name+"="+s.cfg.environ[name])
	}
	return all
}

// handle is a runtime that runs, as the host tells of it.
func (s *site) handle(ctx context.Context, dir string, record *resource.RuntimeRecord, token string) (*running, error) {
	if record == nil {
		return nil, wire.Errorf(wire.Internal, "remote server: the host does not tell where the runtime listens")
	}
	h := &running{site: s, record: *record, token: token, done: make(chan struct{}), doubt: make(chan struct{}, 1)}
	h.record.Dir = dir
	// The host does not tell whether it refuses to forward, or nobody listens; but
	// somebody does.
	err := s.again(ctx, func(ctx context.Context) error {
		client, err := s.client(ctx)
		if err != nil {
			return err
		}
		h.tried, err = h.forwarded(ctx, client)
		return err
	})
	if h.forward = err == nil; err != nil {
		s.log.Info("the host does not forward to the runtime's listener; a program there carries the bytes", "reason", err)
	}
	watching, cancel := context.WithCancel(context.Background())
	h.letGo = cancel
	h.look.Go(func() { h.watch(watching) })
	return h, nil
}

// Adopted implements runtime.Handle.
func (h *running) Adopted() bool { return h.adopted }

// Record implements runtime.Handle.
func (h *running) Record() resource.RuntimeRecord { return h.record }

// Token implements runtime.Handle.
func (h *running) Token() string {
	if h.record.Upstream {
		return ""
	}
	return h.token
}

// URL implements runtime.Handle: it tells where the runtime listens on its host.
func (h *running) URL() string {
	if where, ok := strings.CutPrefix(h.record.Address, "unix:"); ok {
		return "ws+unix://" + where
	}
	return "ws://" + strings.TrimPrefix(h.record.Address, "tcp:")
}

// Done implements runtime.Handle.
func (h *running) Done() <-chan struct{} { return h.done }

// Err implements runtime.Handle.
func (h *running) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ending
}

// forwarded connects to the listener by what SSH has for that.
func (h *running) forwarded(ctx context.Context, client *sshconn.Client) (net.Conn, error) {
	if where, ok := strings.CutPrefix(h.record.Address, "unix:"); ok {
		return client.DialUnix(ctx, where)
	}
	return client.DialTCP(ctx, strings.TrimPrefix(h.record.Address, "tcp:"))
}

// Dial implements runtime.Handle.
func (h *running) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := h.dial(ctx)
	if err != nil {
		h.suspect()
		return nil, err
	}
	return &heard{Conn: conn, ended: h.suspect}, nil
}

func (h *running) dial(ctx context.Context) (net.Conn, error) {
	client, err := h.site.client(ctx)
	if err != nil {
		return nil, err
	}
	if h.forward {
		if conn := h.first(); conn != nil && client.Err() == nil {
			return conn, nil
		}
		return h.forwarded(ctx, client)
	}
	at, err := h.site.programOn(ctx)
	if err != nil {
		return nil, err
	}
	return client.Pipe(ctx, at, "connect", h.record.Address)
}

// first is the connection by which it was tried whether the host forwards, once.
func (h *running) first() net.Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	conn := h.tried
	h.tried = nil
	return conn
}

// heard is a connection to a runtime whose end is told.
type heard struct {
	net.Conn
	ended func()
}

func (c *heard) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.ended()
	}
	return n, err
}

// suspect has it looked whether the runtime still runs.
func (h *running) suspect() {
	select {
	case h.doubt <- struct{}{}:
	default: // somebody has said so already
	}
}

// watch notices the end of the runtime. That the host cannot be asked is not the end.
func (h *running) watch(ctx context.Context) {
	pause := lookEvery
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-h.done:
		case <-h.doubt:
		case <-timer.C:
		}
		timer.Stop()
		select {
		case <-ctx.Done():
			return
		case <-h.done:
			return
		default:
		}
		asking, cancel := context.WithTimeout(ctx, lookLimit)
		answer, err := h.site.ask(asking, &outpost.Request{Do: outpost.Alive, Record: h.record})
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && !answer.Alive:
			h.over(wire.Errorf(wire.Unavailable, "it runs no more on the host: %s", answer.Said))
			return
		case err != nil:
			pause = doubtPause
		default:
			pause = lookEvery
		}
	}
}

// over tells that the runtime has ended.
func (h *running) over(why error) {
	h.once.Do(func() {
		h.mu.Lock()
		h.ending = why
		h.mu.Unlock()
		close(h.done)
	})
}

// Agents implements runtime.Handle.
func (h *running) Agents(ctx context.Context) (int, error) {
	health, err := runtime.Caller{Dial: h.dial, Token: h.Token(), Limit: agentsLimit}.Health(ctx)
	if err == nil && !h.record.Upstream && health.InstanceID != h.record.InstanceID {
		err = wire.Errorf(wire.Conflict, "another runtime answers on the host")
	}
	return health.Agents, err
}

// Release implements runtime.Handle.
func (h *running) Release() {
	h.letGo()
	h.look.Wait()
	if conn := h.first(); conn != nil {
		_ = conn.Close() // nobody has used it
	}
}

// Stop implements runtime.Handle.
func (h *running) Stop(ctx context.Context, grace time.Duration) error {
	defer h.Release()
	select {
	case <-h.done:
	default:
		h.site.preStop(ctx)
	}
	_, err := h.site.ask(ctx, &outpost.Request{Do: outpost.Stop, Record: h.record, GraceMS: grace.Milliseconds()})
	if err == nil {
		h.over(nil)
	}
	return err
}
