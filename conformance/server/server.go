package server

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/redact"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxFrame is the largest frame taken from a provider, in bytes: what Node's
// client takes.
const maxFrame = 100 << 20

// Options are the server's settings. The zero value keeps everything in memory,
// logs nothing, starts no provider again and watches no heartbeats.
type Options struct {
	// StateDir is where environments.json, provider-states and frames are kept;
	// it is made when missing. "" keeps them in memory.
	StateDir string
	// Log takes what the server does; nil is silent. It is redacted.
	Log *slog.Logger
	// Record takes one JSON line for every frame and connection, redacted. Nil
	// writes into a new file below StateDir/frames, if there is a StateDir; use
	// io.Discard for no record at all.
	Record io.Writer
	// Restart says what happens when a provider dies that should run.
	Restart RestartPolicy
	// HeartbeatTimeout is how long a running provider may be without a
	// providerHeartbeat before it is ended, which the restart policy then treats
	// as its death. 0 never ends one.
	HeartbeatTimeout time.Duration
	// StartTimeout bounds a start that the restart policy makes; default 2 min.
	StartTimeout time.Duration
	// ExitGrace is how long a provider may take to exit by itself after it
	// answered closeSignal; default 1 s. Node's never do.
	ExitGrace time.Duration
	// TermGrace is how long a provider may take to exit after SIGTERM before it
	// is killed; default 20 s.
	TermGrace time.Duration
	// OnFrame sees every frame before it is handled or sent, unredacted, on the
	// goroutine that reads or writes the connection. It may be called by many at
	// once and must not block.
	OnFrame func(Frame)
	// Quiet is how long nothing is sent on a new connection. Providers on the Node
	// SDK lose what comes in the same instant as the accept; 0 waits for nothing.
	Quiet time.Duration
	// Greet returns frames that are sent in the very instant in which a
	// connection is accepted, before anything is read and whatever Quiet says.
	Greet func(e *Environment) [][]byte
	// Admit may refuse a provider's connection with an HTTP status; 0 accepts.
	// It is asked after the server's own checks.
	Admit func(e *Environment, r *http.Request) int
}

// RestartPolicy says how often and how fast a provider that died is started
// again.
type RestartPolicy struct {
	// Max is how many starts in a row are tried; 0 is none. A provider that ran
	// for a minute begins anew.
	Max int
	// Backoff is the wait before the first of them, doubled for each further
	// one up to MaxBackoff; default 1 s and 30 s.
	Backoff    time.Duration
	MaxBackoff time.Duration
}

// Direction tells who sent a frame.
type Direction string

// The directions.
const (
	In  Direction = "in"  // from the provider
	Out Direction = "out" // to the provider
)

// Frame is one WebSocket message.
type Frame struct {
	Time          time.Time
	EnvironmentID string
	Connection    int // counts the environment's connections from 1
	Direction     Direction
	Binary        bool
	Data          []byte // must not be changed or kept
}

// Server runs environments. All methods are safe for concurrent use.
type Server struct {
	options  Options
	log      *slog.Logger
	redactor *redact.Redactor
	recorder *recorder
	store    *store
	listener net.Listener
	http     *http.Server

	// ctx ends when Close has closed all environments; what still runs then is
	// killed.
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup // every goroutine of the server

	mu           sync.Mutex
	environments map[string]*Environment
	closed       bool
	closeOnce    sync.Once
	closeErr     error
}

// New starts a server on a free port of the loopback interface. The caller must
// close it.
func New(options Options) (*Server, error) {
	options.StartTimeout = cmp.Or(options.StartTimeout, 2*time.Minute)
	options.ExitGrace = cmp.Or(options.ExitGrace, time.Second)
	options.TermGrace = cmp.Or(options.TermGrace, 20*time.Second)
	options.Restart.Backoff = cmp.Or(options.Restart.Backoff, time.Second)
	options.Restart.MaxBackoff = max(cmp.Or(options.Restart.MaxBackoff, 30*time.Second), options.Restart.Backoff)
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{options: options, redactor: &redact.Redactor{}, environments: map[string]*Environment{}}
	s.log = slog.New(redact.NewHandler(options.Log.Handler(), s.redactor))
	var err error
	if s.store, err = openStore(options.StateDir); err != nil {
		return nil, err
	}
	if s.recorder, err = newRecorder(options.Record, options.StateDir, s.redactor); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var listen net.ListenConfig
	if s.listener, err = listen.Listen(s.ctx, "tcp", "127.0.0.1:0"); err != nil {
		s.cancel()
		return nil, errors.Join(wire.Errorf(wire.Unavailable, "server: listen: %w", err), s.recorder.close())
	}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serveHTTP), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	s.tasks.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the listener failed", "error", err)
		}
	})
	return s, nil
}

// Addr is the host and port the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Environments returns every environment, sorted by id.
func (s *Server) Environments() []*Environment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.environments), func(a, b *Environment) int {
		return cmp.Compare(a.spec.ID, b.spec.ID)
	})
}

// Close closes every environment as [Environment.Close] does, all at once, and
// ends the server. When it returns no process and no goroutine of it is left.
// The records stay, so that a server with the same StateDir can go on. Calling
// it again does nothing.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		var (
			closing sync.WaitGroup
			all     = s.Environments()
			errs    = make([]error, len(all), len(all)+2)
		)
		for i, e := range all {
			closing.Go(func() { errs[i] = e.Close(s.ctx) })
		}
		closing.Wait()
		errs = append(errs, s.http.Close())
		s.cancel()
		s.tasks.Wait()
		s.closeErr = errors.Join(append(errs, s.recorder.close())...)
	})
	return s.closeErr
}

// serveHTTP takes the connection of a provider, which is known by its query.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	refuse := func(status int, why string) {
		s.log.Warn("connection refused", "status", status, "why", why, "url", r.URL)
		s.recorder.event(query.Get(wire.EnvEnvironmentID), 0, "refused: "+why, query)
		http.Error(w, why, status)
	}
	if r.URL.Path != "/codebolt" {
		refuse(http.StatusNotFound, "providers connect to /codebolt")
		return
	}
	e := s.find(query)
	switch {
	case e == nil:
		refuse(http.StatusForbidden, "no environment has this environmentId or agentId")
		return
	case subtle.ConstantTimeCompare([]byte(query.Get(wire.EnvThreadToken)), []byte(e.token)) != 1:
		refuse(http.StatusUnauthorized, "threadToken is wrong or missing")
		return
	}
	if s.options.Admit != nil {
		if status := s.options.Admit(e, r); status != 0 {
			refuse(status, http.StatusText(status))
			return
		}
	}
	// A page in a browser does not know the token, so its origin need not count.
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	socket, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.log.Warn("no WebSocket handshake", "error", err)
		return
	}
	served := make(chan struct{})
	if !s.task(func() { defer close(served); e.serve(socket, query) }) {
		_ = socket.Close() // the server closes; nothing else could be done
		return
	}
	<-served
}

// task runs f on a goroutine that Close waits for, unless the server is closed.
func (s *Server) task(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.tasks.Go(f)
	return true
}

func (s *Server) find(query url.Values) *Environment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.environments[query.Get(wire.EnvEnvironmentID)]; e != nil {
		return e
	}
	if id := query.Get(wire.EnvAgentID); id != "" {
		for _, e := range s.environments {
			if e.agentID == id {
				return e
			}
		}
	}
	return nil
}
