package agenthost

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/codeboltai/codebolt-providers/shared/agentcall"
	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/terminal"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// Options describe a runtime.
type Options struct {
	Workspace string // directory of the agents; absolute
	Name      string // of the environment, for agents to see
	// InstanceID names this process towards whoever shows the token.
	InstanceID string
	// Token is demanded of every caller; it must not be empty.
	Token   string
	Version string
	// Protected are names at the workspace's root that file calls never change.
	Protected []string
	// OwnerTimeout is how long the runtime goes on while no provider is
	// connected; default 10 min, negative for ever.
	OwnerTimeout time.Duration
	// History is how many bytes of each agent's output are kept for a provider
	// that connects later; default 1 MiB.
	History int
	// StopGrace is how long an agent has between SIGTERM and SIGKILL when
	// nothing else is said; default 5 s.
	StopGrace time.Duration
	// ConnectTimeout is how long an agent that connects may take to do so; default 30 s.
	ConnectTimeout time.Duration
	// Environ is the environment of the agents, as os.Environ gives it; nil is
	// this process's own.
	Environ []string
	// Agents are the rules for agents that connect and speak.
	Agents AgentRules
	// Starters start further kinds of agent, by agentType.
	Starters map[string]Starter
	// Tracer gets spans of what agents work on and ask; nil traces nothing.
	Tracer *telemetry.Tracer
	Log    *slog.Logger // nil logs nothing
}

// AgentRules are the rules for agents that connect and speak, as those with the SDK do.
// The zero value lets them do all that the environment does, and fetches none.
type AgentRules struct {
	// Roots are folders where agents may lie, besides .codebolt/agents in the workspace.
	Roots []string
	// Store is where agents are unpacked that come as archives.
	Store string
	// DownloadHosts are those that agents may be fetched from.
	DownloadHosts []string
	// Env names variables that agents see besides those that every program needs.
	Env []string
	// Policy says what agents may do without asking.
	Policy agentcall.Policy
	// Audit gets a line of JSON for each of their requests that a policy may be about, and
	// what was decided; nil writes none.
	Audit io.Writer
	// Network lets agents push, pull and clone with git.
	Network bool
	// ProxyRules has the workspace's rules say which requests the platform answers in
	// place of the environment. The file is in reach of whoever writes the workspace, and
	// what it gives to the platform the policy is not about.
	ProxyRules bool
	// CommandTimeout is how long a command of an agent may take that has an end; default
	// 2 min.
	CommandTimeout time.Duration
}

// Host is a running runtime. Its methods are safe for concurrent use.
type Host struct {
	opt   Options
	log   *slog.Logger
	files *workspace.Local
	links *link.Acceptor
	calls *agentcall.Server

	endpoint *endpoint
	asked    switchboard
	meters   meters

	terminals *terminal.All

	ctx    context.Context // ends when agents are to be stopped
	cancel context.CancelFunc
	over   chan struct{} // closed by Shutdown
	once   sync.Once
	wg     sync.WaitGroup // agents and clients

	mu      sync.Mutex
	moved   *sync.Cond // something changed that pumps or agents wait for
	agents  []*agent   // in order of their start
	clients map[*client]bool
	// claimant is the client of the execution gateway that agents' requests go to.
	claimant *client
	alone    time.Time // since when no client is connected
}

// New prepares a runtime for a workspace. It fails with the kind of the cause
// when the directory cannot be opened.
func New(o Options) (*Host, error) {
	if o.Token == "" {
		return nil, wire.Errorf(wire.Invalid, "start the runtime: it needs a token")
	}
	if o.OwnerTimeout == 0 {
		o.OwnerTimeout = 10 * time.Minute
	}
	if o.History == 0 {
		o.History = 1 << 20
	}
	if o.StopGrace == 0 {
		o.StopGrace = 5 * time.Second
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 30 * time.Second
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	files, err := workspace.OpenLocal(o.Workspace, workspace.LocalOptions{Protected: o.Protected})
	if err != nil {
		return nil, err
	}
	h := &Host{opt: o, log: o.Log, files: files, terminals: terminal.New(terminal.Limits{}), over: make(chan struct{}), clients: map[*client]bool{}, alone: time.Now()}
	h.moved = sync.NewCond(&h.mu)
	h.calls, err = agentcall.New(agentcall.Options{
		Files: files, Name: o.Name, Environ: withoutServer(o.Environ), Log: o.Log,
		Policy: o.Agents.Policy, Audit: o.Agents.Audit, Network: o.Agents.Network, CommandTimeout: o.Agents.CommandTimeout,
	})
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	h.meters = newMeters(h)
	h.endpoint = newEndpoint(h)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.links = &link.Acceptor{
		Options: link.Options{Logger: o.Log, OutboxMessages: 4096, OutboxBytes: 4 << 20, OutboxBulk: 4 << 20},
		Accept: func(l *link.Link, r *http.Request) (link.Handler, error) {
			return h.accept(l, r), nil
		},
		Greeting: func(l *link.Link, r *http.Request, resumed bool) []byte { return h.greet(l, r, resumed) },
	}
	return h, nil
}

func (h *Host) greet(l *link.Link, r *http.Request, resumed bool) []byte {
	if through(r) {
		return h.greetGateway(l, r)
	}
	text := "Successfully connected as app"
	if resumed {
		text = "Resumed as app"
	}
	frame, err := wire.Marshal(wire.Registered{
		Type: wire.TypeRegistered, ConnectionID: uuid.NewString(), ConnectionType: wire.RuntimeClientApp,
		Message: text, RegistrationType: "auto", AppInstanceID: r.URL.Query().Get(wire.RuntimeParamAppID),
		InstanceID: h.opt.InstanceID, Version: h.opt.Version,
	})
	if err != nil {
		h.log.Error("greeting", "error", err)
	}
	return frame
}

// Serve accepts providers until ctx ends, Shutdown is called, or no provider has
// been connected for OwnerTimeout. Then it stops the agents, lets their last
// words out and returns nil. It closes the listener.
func (h *Host) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug)}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		h.log.Info("ending", "because", context.Cause(ctx).Error())
	case <-h.over:
		h.log.Info("ending", "because", "the owner said so")
	case <-h.ownerless():
		h.log.Info("ending", "because", "no provider was connected for "+h.opt.OwnerTimeout.String())
	}
	h.cancel()
	h.mu.Lock()
	h.moved.Broadcast()
	h.mu.Unlock()
	ended := make(chan struct{})
	go func() { h.terminals.Close(); close(ended) }()
	h.stopAll()
	<-ended
	h.endpoint.close()
	h.settle()
	bye, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	closed := h.links.Close(bye)
	h.wg.Wait()
	if err == nil {
		err = server.Close()
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if closed != nil {
		h.log.Debug("connections cut", "error", closed)
	}
	return errors.Join(err, h.files.Close())
}

// Shutdown makes Serve end. It is idempotent and returns at once.
func (h *Host) Shutdown() { h.once.Do(func() { close(h.over) }) }

// ownerless is closed when the owner has stayed away for too long.
func (h *Host) ownerless() <-chan struct{} {
	gone := make(chan struct{})
	if h.opt.OwnerTimeout < 0 {
		return gone
	}
	h.wg.Go(func() {
		ticker := time.NewTicker(max(h.opt.OwnerTimeout/10, 10*time.Millisecond))
		defer ticker.Stop()
		for {
			select {
			case <-h.ctx.Done():
				return
			case <-ticker.C:
				h.mu.Lock()
				away := !h.connected() && time.Since(h.alone) > h.opt.OwnerTimeout
				h.mu.Unlock()
				if away {
					close(gone)
					return
				}
			}
		}
	})
	return gone
}

// ServeHTTP implements http.Handler: GET /health, /status and /metrics, POST /shutdown,
// and WebSockets everywhere else.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	known := h.authorized(r)
	switch {
	case r.URL.Path == "/health" && r.Method == http.MethodGet:
		h.serveHealth(w, known)
	case !known:
		http.Error(w, "show the token: Authorization: Bearer …", http.StatusUnauthorized)
	case r.URL.Path == "/status" && r.Method == http.MethodGet:
		h.serveStatus(w)
	case r.URL.Path == "/metrics" && r.Method == http.MethodGet:
		h.meters.serve(w)
	case r.URL.Path == "/shutdown" && r.Method == http.MethodPost:
		w.WriteHeader(http.StatusAccepted)
		h.Shutdown()
	default:
		h.links.ServeHTTP(w, r)
	}
}

func (h *Host) serveHealth(w http.ResponseWriter, known bool) {
	health := wire.RuntimeHealth{Status: "ok", Timestamp: wire.Now()}
	if known {
		health.InstanceID, health.Version, health.PID = h.opt.InstanceID, h.opt.Version, os.Getpid()
		health.Agents = h.Running()
	}
	body, err := wire.Marshal(health)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a caller that left needs no answer
}

func (h *Host) authorized(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token = r.URL.Query().Get(wire.RuntimeParamToken)
	}
	return subtle.ConstantTimeCompare([]byte(token), []byte(h.opt.Token)) == 1
}

// Running is how many agents are at work now, and terminals open. An agent that has done
// what it was told, and waits for more, is not.
func (h *Host) Running() int {
	n := h.terminals.Running()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.agents {
		if !a.ended && (a.speaker == nil || a.speaker.busy()) {
			n++
		}
	}
	return n
}

// speakers is how many agents with a connection of their own run.
func (h *Host) speakers() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.agents {
		if !a.ended && a.speaker != nil {
			n++
		}
	}
	return n
}

// connected reports whether some client has a connection; under mu.
func (h *Host) connected() bool {
	for c := range h.clients {
		if c.up {
			return true
		}
	}
	return false
}

// unquote reads a JSON string or gives "".
func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
