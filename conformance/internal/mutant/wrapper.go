package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// wrapper is a provider process with another one inside.
type wrapper struct {
	defect defect
	inner  *exec.Cmd
	target *url.URL // of the server, without query
	ended  chan struct{}
	pumps  sync.WaitGroup
	state  map[string]any // what a defect remembers; guarded by mu

	mu        sync.Mutex
	pair      *pair
	unsent    []frame            // what connections that broke left for the next one
	requests  map[string]message // by requestId, until answered
	workspace string
	start     message // the last providerStart
	conns     int
	dialing   chan dialed // what became of a dial that is under way for the defect's Pause
}

// dialed is the outcome of a dial.
type dialed struct {
	server *websocket.Conn
	status int
	err    error
}

// frame is one of the provider.
type frame struct {
	kind int
	data []byte
}

// mark is the variable by which the suite knows the processes of a check.
const mark = "CODEBOLT_CONFORMANCE_CHECK"

// pair is a connection of the provider and the one to the server it is passed on
// to.
type pair struct {
	provider, server *websocket.Conn
	toProvider       sync.Mutex
	toServer         sync.Mutex
	closed           sync.Once
	passed           chan struct{} // closed when nothing of the provider is passed on any more
}

// run runs the provider and returns the exit status.
func run(w *wrapper, argv []string) int {
	w.ended, w.requests, w.state = make(chan struct{}), map[string]message{}, map[string]any{}
	if w.defect.Begin != nil {
		if status := w.defect.Begin(w); status >= 0 {
			return status
		}
	}
	// What carries the mark and is not the process that the suite started counts as
	// a helper of its environment: the provider inside is none.
	environ := without(os.Environ(), mark)
	if port := os.Getenv("SOCKET_PORT"); port != "" && len(argv) == 1 {
		listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback listeners do not wait
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutant:", err)
			return 1
		}
		host := os.Getenv("CODEBOLT_SERVER_URL")
		if host == "" {
			host = "localhost"
		}
		w.target = &url.URL{Scheme: "ws", Host: net.JoinHostPort(host, port)}
		srv := &http.Server{Handler: http.HandlerFunc(w.accept), ReadHeaderTimeout: time.Minute}
		go func() { _ = srv.Serve(listener) }() // until Close
		defer func() { _ = srv.Close() }()      // it only stops listening
		_, own, _ := net.SplitHostPort(listener.Addr().String())
		environ = append(environ, "SOCKET_PORT="+own, "CODEBOLT_SERVER_URL=127.0.0.1")
	}
	if w.defect.Relayed != nil {
		environ = throughRelay(w.defect.Name, environ)
	}
	if w.defect.Environ != nil {
		environ = w.defect.Environ(environ)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	w.inner = exec.CommandContext(context.Background(), argv[0], argv[1:]...)
	w.inner.Env, w.inner.Stdout, w.inner.Stderr = environ, os.Stdout, os.Stderr
	bind(w.inner)
	if err := w.inner.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "mutant:", err)
		return 1
	}
	go w.watch(signals)
	err := w.inner.Wait()
	close(w.ended)
	w.drain()
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	}
	if w.defect.Exit != nil {
		status = w.defect.Exit(w, status)
	}
	return status
}

// drain passes on what the provider said last.
func (w *wrapper) drain() {
	passed := make(chan struct{})
	go func() { w.pumps.Wait(); close(passed) }()
	select {
	case <-passed:
	case <-time.After(2 * time.Second):
	}
}

// watch passes signals on, and the news of the parent's death.
func (w *wrapper) watch(signals <-chan os.Signal) {
	parent := os.Getppid()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-w.ended:
			return
		case sig := <-signals:
			if w.defect.Signal == nil || w.defect.Signal(w, sig) {
				_ = w.inner.Process.Signal(sig) // it may just have ended
			}
		case <-ticker.C:
			if os.Getppid() == parent {
				continue
			}
			parent = os.Getppid()
			if w.defect.Orphaned == nil || w.defect.Orphaned(w) {
				_ = w.inner.Process.Signal(syscall.SIGTERM) // it may just have ended
			}
		}
	}
}

// accept takes a connection of the provider and makes the one to the server.
func (w *wrapper) accept(out http.ResponseWriter, in *http.Request) {
	to := *w.target
	to.Path, to.RawQuery = in.URL.Path, in.URL.RawQuery
	if w.defect.URL != nil {
		w.defect.URL(&to)
	}
	server, status, err := w.dial(in.Context(), to.String())
	if err != nil {
		if status != 0 {
			http.Error(out, http.StatusText(status), status)
			return
		}
		if hijacker, ok := out.(http.Hijacker); ok {
			if conn, _, err := hijacker.Hijack(); err == nil {
				_ = conn.Close()
			}
		}
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	provider, err := upgrader.Upgrade(out, in, nil)
	if err != nil {
		_ = server.Close()
		return
	}
	p := &pair{provider: provider, server: server, passed: make(chan struct{})}
	if !w.defect.Vouches {
		provider.SetPingHandler(passOn(server, websocket.PingMessage))
		server.SetPongHandler(passOn(provider, websocket.PongMessage))
	}
	w.mu.Lock()
	before := w.pair
	w.pair = p
	w.conns++
	w.mu.Unlock()
	if w.defect.Connected != nil {
		w.defect.Connected(w)
	}
	w.pumps.Add(2)
	go func() { defer w.pumps.Done(); w.fromServer(p) }()
	go func() { defer w.pumps.Done(); w.fromProvider(p, before) }()
}

// passOn makes a handler of pings or pongs that leaves them to the other side.
func passOn(to *websocket.Conn, kind int) func(string) error {
	return func(data string) error {
		_ = to.WriteControl(kind, []byte(data), time.Now().Add(time.Second)) // a lost connection ends the reading
		return nil
	}
}

// dial makes a connection to the server, when the defect wants one made.
func (w *wrapper) dial(ctx context.Context, address string) (*websocket.Conn, int, error) {
	if w.defect.Pause == nil {
		d := w.once(ctx, address)
		return d.server, d.status, d.err
	}
	w.mu.Lock()
	if w.dialing == nil {
		w.dialing = make(chan dialed, 1)
		go w.retry(address, w.dialing)
	}
	dialing := w.dialing
	w.mu.Unlock()
	select {
	case d := <-dialing:
		w.mu.Lock()
		w.dialing = nil
		w.mu.Unlock()
		return d.server, d.status, d.err
	case <-ctx.Done(): // the provider has lost patience, and will come again
		return nil, 0, context.Cause(ctx)
	}
}

func (w *wrapper) once(ctx context.Context, address string) (d dialed) {
	w.keep("address", address)
	var response *http.Response
	d.server, response, d.err = websocket.DefaultDialer.DialContext(ctx, address, nil)
	if response != nil {
		d.status = response.StatusCode
		_ = response.Body.Close()
	}
	if w.defect.Dialed != nil {
		if exit := w.defect.Dialed(w, d.status, d.err); exit >= 0 {
			w.die(exit)
		}
	}
	return d
}

// retry dials as often as the defect's Pause says.
func (w *wrapper) retry(address string, done chan<- dialed) {
	var d dialed
	for failed := 0; ; failed++ {
		pause := w.defect.Pause(w, failed, d.status)
		if pause < 0 && failed > 0 {
			break
		}
		time.Sleep(pause)
		if d = w.once(context.Background(), address); d.err == nil {
			break
		}
	}
	done <- d
}

// die ends the process as a crash would.
func (w *wrapper) die(status int) {
	_ = w.inner.Process.Kill() // it may just have ended
	os.Exit(status)
}

// end closes both sides, passing on why.
func (p *pair) end(to *websocket.Conn, why error) {
	p.closed.Do(func() {
		var closed *websocket.CloseError
		if errors.As(why, &closed) && closed.Code != websocket.CloseAbnormalClosure && closed.Code != websocket.CloseNoStatusReceived {
			_ = to.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closed.Code, closed.Text), time.Now().Add(time.Second))
			time.Sleep(50 * time.Millisecond) // for the goodbye to be read
		}
		_ = p.provider.Close()
		_ = p.server.Close()
	})
}

func (w *wrapper) fromServer(p *pair) {
	for {
		kind, frame, err := p.server.ReadMessage()
		if err != nil {
			if w.defect.Lost != nil && !w.defect.Lost(w) {
				return
			}
			p.end(p.provider, err)
			return
		}
		if w.defect.Raw != nil && !w.defect.Raw(w, kind, frame) {
			continue
		}
		m, ok := parse(frame)
		if !ok || kind != websocket.TextMessage {
			p.tell(kind, frame)
			continue
		}
		w.note(m)
		for _, m := range w.asked(m) {
			p.tell(kind, m.frame())
		}
	}
}

func (w *wrapper) asked(m message) []message {
	if w.defect.Request == nil {
		return []message{m}
	}
	return w.defect.Request(w, m)
}

// note keeps what defects want to know of a request.
func (w *wrapper) note(m message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id := m.text("requestId"); id != "" {
		w.requests[id] = m
	}
	if m.text("type") == "providerStart" {
		w.start = m
	}
}

// fromProvider passes on what the provider says, beginning with what the
// connection before did not take.
func (w *wrapper) fromProvider(p, before *pair) {
	defer close(p.passed)
	if before != nil {
		before.end(before.server, nil) // the provider has left it
		<-before.passed
	}
	w.mu.Lock()
	unsent := w.unsent
	w.unsent = nil
	w.mu.Unlock()
	for _, f := range unsent {
		w.pass(p, f)
	}
	for {
		kind, data, err := p.provider.ReadMessage()
		if err != nil {
			p.end(p.server, err)
			return
		}
		m, ok := parse(data)
		if !ok || kind != websocket.TextMessage {
			w.pass(p, frame{kind, data})
			continue
		}
		request := w.answered(m)
		replies := []message{m}
		if w.defect.Reply != nil {
			replies = w.defect.Reply(w, request, m)
		}
		for _, m := range replies {
			if m.text("agentId") != "" {
				p.say(kind, m.frame()) // which the provider repeats by itself, in its order
				continue
			}
			w.pass(p, frame{kind, m.frame()})
		}
	}
}

// pass passes a frame of the provider on. One that breaks off waits for the next
// connection: the provider has sent it and will not do so again.
func (w *wrapper) pass(p *pair, f frame) {
	if p.send(f.kind, f.data) != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.unsent = append(w.unsent, f)
	}
}

// answered finds the request that a message answers, if it answers one.
func (w *wrapper) answered(m message) message {
	w.mu.Lock()
	defer w.mu.Unlock()
	request := w.requests[m.text("requestId")]
	delete(w.requests, m.text("requestId"))
	if result := m.object("message"); request.text("type") == "providerStart" && result.text("workspacePath") != "" {
		w.workspace = result.text("workspacePath")
	}
	return request
}

// tell sends to the provider.
func (p *pair) tell(kind int, frame []byte) {
	p.toProvider.Lock()
	defer p.toProvider.Unlock()
	_ = p.provider.WriteMessage(kind, frame) // a lost connection ends the reading
}

// say sends to the server.
func (p *pair) say(kind int, frame []byte) {
	_ = p.send(kind, frame) // a lost connection ends the reading
}

// send is say that tells whether the frame was written.
func (p *pair) send(kind int, frame []byte) error {
	p.toServer.Lock()
	defer p.toServer.Unlock()
	return p.server.WriteMessage(kind, frame)
}

// say sends a message to the server on the present connection.
func (w *wrapper) say(m message) {
	w.mu.Lock()
	p := w.pair
	w.mu.Unlock()
	if p != nil {
		p.say(websocket.TextMessage, m.frame())
	}
}

// tell sends a message to the provider on the present connection.
func (w *wrapper) tell(m message) {
	w.mu.Lock()
	p := w.pair
	w.mu.Unlock()
	if p != nil {
		p.tell(websocket.TextMessage, m.frame())
	}
}

// drop loses the connection to the server.
func (w *wrapper) drop() {
	w.mu.Lock()
	p := w.pair
	w.mu.Unlock()
	if p != nil {
		_ = p.server.Close()
	}
}

// root is the workspace, or "" before the start is answered.
func (w *wrapper) root() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.workspace
}

// began is the last providerStart.
func (w *wrapper) began() message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.start
}

// first reports whether this is the first call with the word.
func (w *wrapper) first(word string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, seen := w.state[word]
	w.state[word] = true
	return !seen
}

// count is how often it has been called with the word, this time included.
func (w *wrapper) count(word string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, _ := w.state[word].(int)
	w.state[word] = n + 1
	return n + 1
}

// keep remembers something under a word, and returns what was there before.
func (w *wrapper) keep(word string, value any) any {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.state[word]
	w.state[word] = value
	return before
}

// kept is what was last kept under a word.
func (w *wrapper) kept(word string) any {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state[word]
}

// connection is the number of connections so far.
func (w *wrapper) connection() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns
}

// open is the number of requests without an answer.
func (w *wrapper) open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.requests)
}

// without removes variables.
func without(environ []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(names, name)
	})
}
