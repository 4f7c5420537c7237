package agenthost

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// maxAgentFrame is the largest frame that an agent may send.
	maxAgentFrame = 64 << 20
	// maxForAgent is how much may wait for an agent to read it, besides one message.
	maxForAgent = 16 << 20
	// unheard is how long an agent may compute without answering a ping. Its process is
	// on this machine: that it is gone shows in other ways.
	unheard = time.Hour
)

// endpoint is where agents connect: a port on loopback, since the SDK knows nothing
// else. It lets in only who shows the secret that the runtime has given to an agent.
type endpoint struct {
	h     *Host
	links *link.Acceptor

	mu     sync.Mutex
	server *http.Server // nil until the first agent needs it
	port   int
	agents []*speaker
}

func newEndpoint(h *Host) *endpoint {
	e := &endpoint{h: h}
	e.links = &link.Acceptor{
		Options: link.Options{
			MaxMessage: maxAgentFrame, Silence: unheard, WriteTimeout: unheard, Ping: 25 * time.Second,
			OutboxMessages: maxAsked + maxQueuedMessages, OutboxBytes: maxForAgent, Logger: h.log,
		},
		Accept: func(l *link.Link, r *http.Request) (link.Handler, error) {
			a := e.agent(r)
			if a == nil {
				return link.Handler{}, wire.Errorf(wire.Permission, "no agent of this runtime")
			}
			return a.connected(l)
		},
		Greeting: func(_ *link.Link, r *http.Request, _ bool) []byte {
			if a := e.agent(r); a != nil {
				return a.greeting()
			}
			return nil
		},
	}
	return e
}

// expect lets an agent in, and gives the port where. The first one opens it.
func (e *endpoint) expect(a *speaker) (port int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		lc := &net.ListenConfig{}
		ln, err := lc.Listen(e.h.ctx, "tcp4", "127.0.0.1:0")
		if err != nil {
			return 0, wire.Errorf(wire.CodeOf(err), "listen for agents: %w", err)
		}
		e.port = ln.Addr().(*net.TCPAddr).Port
		e.server = &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(e.h.log.Handler(), slog.LevelDebug)}
		e.h.wg.Go(func() { _ = e.server.Serve(ln) }) // ends with close
		// The SDK dials "localhost", which for some is this address alone.
		if six, err := lc.Listen(e.h.ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(e.port))); err == nil {
			e.h.wg.Go(func() { _ = e.server.Serve(six) })
		}
	}
	e.agents = append(e.agents, a)
	return e.port, nil
}

// forget lets an agent in no more.
func (e *endpoint) forget(a *speaker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.agents = slices.DeleteFunc(e.agents, func(other *speaker) bool { return other == a })
}

// agent is the agent that a request comes from, by its secret, or nil.
func (e *endpoint) agent(r *http.Request) *speaker {
	query := r.URL.Query()
	parent := query.Get(wire.EnvParentID)
	at := strings.LastIndex(parent, secretMark)
	if at < 0 {
		return nil
	}
	shown := []byte(parent[at+len(secretMark):])
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range e.agents {
		if subtle.ConstantTimeCompare(shown, []byte(a.secret)) == 1 && query.Get(wire.EnvAgentID) == a.a.id {
			return a
		}
	}
	return nil
}

// ServeHTTP implements http.Handler. A browser is not let in, whatever it shows: pages
// of anybody reach the ports of loopback.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	switch {
	case r.Header.Get("Origin") != "":
		http.Error(w, "agents only: a request with an Origin is a browser's", http.StatusForbidden)
	case !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host):
		http.Error(w, "agents only: the Host is not this machine", http.StatusForbidden)
	case e.agent(r) == nil:
		http.Error(w, "agents only: show the agentId and parentId that the runtime has given to the agent", http.StatusUnauthorized)
	default:
		e.links.ServeHTTP(w, r)
	}
}

// close ends all connections and lets nobody in any more.
func (e *endpoint) close() {
	e.mu.Lock()
	server := e.server
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := e.links.Close(ctx); err != nil && !errors.Is(err, link.ErrClosed) {
		e.h.log.Debug("agents' connections cut", "error", err)
	}
	if server != nil {
		_ = server.Close() // nothing to be done about it
	}
}
