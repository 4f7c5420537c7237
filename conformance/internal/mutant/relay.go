package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// relayed is a defect on the way between the provider and an agent server that
// is configured. Its zero fields are right.
type relayed struct {
	// Greets is set when the provider is told of its registration before it is
	// one.
	Greets bool
	// Opened runs when a connection stands.
	Opened func(r *relay, p *pair)
	// Up and Down see a frame to the runtime, and one of it, before they go on.
	Up, Down func(r *relay, p *pair, frame []byte)
	// Lost runs when a connection is lost.
	Lost func(r *relay)
}

// relay stands between the provider and its runtime, as a process that the
// provider takes for the runtime.
type relay struct {
	defect relayed
	target string // host and port of the runtime

	mu   sync.Mutex
	seen *pair    // by the defect
	kept [][]byte // what the defect remembers
}

// relayWord stands in the place of the program when the process is a relay.
const relayWord = "--relay"

// throughRelay has the provider start the relay of a defect in the place of a
// runtime that is configured, if that is the program of the suite with a folder
// of the check that runs.
func throughRelay(name string, environ []string) []string {
	const variable = "ENVIRONMENT_CONFIG"
	self, err := os.Executable()
	g := ground()
	if err != nil || g == nil {
		return environ
	}
	at := slices.IndexFunc(environ, func(pair string) bool { return strings.HasPrefix(pair, variable+"=") })
	var config map[string]any
	if at < 0 || json.Unmarshal([]byte(strings.TrimPrefix(environ[at], variable+"=")), &config) != nil {
		return environ
	}
	command, _ := message(config).object("runtime")["command"].([]any)
	dir := slices.Index(command, any("--dir")) + 1
	if dir == 0 || dir == len(command) || command[0] != filepath.Join(filepath.Dir(self), "agentserver") {
		return environ
	}
	if path, _ := command[dir].(string); !within(g.dir, path) {
		return environ
	}
	command = append([]any{self, name, relayWord}, command...)
	text, err := json.Marshal(manifest.Merge(config, map[string]any{"runtime": map[string]any{"command": command}}))
	if err != nil {
		return environ // it came as JSON
	}
	environ = slices.Clone(environ)
	environ[at] = variable + "=" + string(text)
	return environ
}

// runRelay is the relay's process: the runtime with its argv, at another port.
func runRelay(defect relayed, argv []string) int {
	status, err := (&relay{defect: defect}).run(argv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutant: relay:", err)
	}
	return status
}

func (r *relay) run(argv []string) (int, error) {
	at := slices.Index(argv, "--port")
	if at < 0 || at+1 == len(argv) {
		return 1, errors.New("the runtime gets no port")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+argv[at+1]) //nolint:noctx // loopback listeners do not wait
	if err != nil {
		return 1, err
	}
	own, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // as above
	if err != nil {
		return 1, err
	}
	r.target = own.Addr().String()
	if err := own.Close(); err != nil {
		return 1, err
	}
	_, port, _ := net.SplitHostPort(r.target)
	argv = slices.Clone(argv)
	argv[at+1] = port
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: r.target})
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		if websocket.IsWebSocketUpgrade(in) {
			r.accept(out, in)
		} else {
			proxy.ServeHTTP(out, in)
		}
	})}
	go func() { _ = srv.Serve(listener) }() // until Close
	defer func() { _ = srv.Close() }()      // it only stops listening
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	cmd := exec.CommandContext(context.Background(), argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	bind(cmd)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	go func() {
		for sig := range signals {
			_ = cmd.Process.Signal(sig) // it may just have ended
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// dial makes a connection to the runtime, as the provider asks for one.
func (r *relay) dial(query string) (*websocket.Conn, error) {
	conn, response, err := websocket.DefaultDialer.DialContext(context.Background(), "ws://"+r.target+"/?"+query, nil)
	if response != nil {
		_ = response.Body.Close()
	}
	return conn, err
}

func (r *relay) accept(out http.ResponseWriter, in *http.Request) {
	runtime, err := r.dial(in.URL.RawQuery)
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadGateway)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	provider, err := upgrader.Upgrade(out, in, nil)
	if err != nil {
		_ = runtime.Close()
		return
	}
	p := &pair{provider: provider, server: runtime}
	if r.defect.Greets {
		p.tell(websocket.TextMessage, []byte(`{"type":"registered","connectionId":"early","connectionType":"app","registrationType":"auto","message":"","appInstanceId":"early"}`))
	}
	if r.defect.Opened != nil {
		r.defect.Opened(r, p)
	}
	go r.pump(p, runtime, p.tell, r.defect.Down)
	r.pump(p, provider, p.say, r.defect.Up)
	if r.defect.Lost != nil {
		r.defect.Lost(r)
	}
}

// pump passes on what comes from one side until that ends.
func (r *relay) pump(p *pair, from *websocket.Conn, to func(int, []byte), see func(*relay, *pair, []byte)) {
	for {
		kind, reader, err := from.NextReader()
		if err != nil {
			break
		}
		frame, err := io.ReadAll(reader)
		if err != nil {
			break
		}
		if see != nil {
			see(r, p, frame)
		}
		to(kind, frame)
	}
	p.closed.Do(func() { _ = p.provider.Close(); _ = p.server.Close() })
}

// firstOf reports whether this is the first call with the connection, which is
// the last one that stands.
func (r *relay) firstOf(p *pair) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.seen != p
	r.seen = p
	return first
}

// remember keeps the last frames; forget returns them.
func (r *relay) remember(frame []byte, most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, frame)
	r.kept = r.kept[max(0, len(r.kept)-most):]
}

func (r *relay) forget() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.kept
	r.kept = nil
	return kept
}
