package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

// pingEvery is the pause between the pings of an agent server, of both kinds.
const pingEvery = 25 * time.Second

// server is one runtime process.
type server struct {
	proxy   *faultproxy.Proxy // stands before it
	end     chan struct{}     // closed to end the process
	endOnce sync.Once

	writing sync.Mutex
	journal *os.File

	mu         sync.Mutex
	greetAfter time.Duration
	refuse     int  // the status of every handshake, when not 0
	hangUp     bool // close each connection after the greeting
	number     int  // of connections
	app        *app // the newest that was greeted; nil when there is none
	change     chan struct{}
}

// app is a connection of a provider.
type app struct {
	number  int
	socket  *websocket.Conn
	writing sync.Mutex
	over    chan struct{}
}

type listener struct {
	address string
	http    *http.Server
	ended   chan struct{}
}

// Close ends the listener; connections that were taken over end with the
// process.
func (l *listener) Close() {
	_ = l.http.Close() // it only stops listening
	<-l.ended
}

func serveOn(ctx context.Context, network, address string, handler http.Handler) (*listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l := &listener{address: ln.Addr().String(), http: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}, ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		_ = l.http.Serve(ln) // until Close
	}()
	return l, nil
}

func (s *server) listen(ctx context.Context) (*listener, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}`)) // who asks and goes does not miss it
	})
	mux.HandleFunc("/", s.accept)
	return serveOn(ctx, "tcp", "127.0.0.1:0", mux)
}

func (s *server) accept(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	refuse := s.refuse
	s.mu.Unlock()
	if refuse != 0 {
		http.Error(w, http.StatusText(refuse), refuse)
		return
	}
	upgrader := websocket.Upgrader{EnableCompression: true, CheckOrigin: func(*http.Request) bool { return true }}
	socket, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	a := &app{socket: socket, over: make(chan struct{})}
	s.mu.Lock()
	s.number++
	a.number = s.number
	after, hangUp := s.greetAfter, s.hangUp
	s.mu.Unlock()
	s.note(Entry{Event: Opened, Connection: a.number, Query: r.URL.RawQuery})
	var greeting sync.WaitGroup
	greeting.Go(func() { s.greet(a, after, hangUp) })
	for {
		_, data, err := socket.ReadMessage()
		if err != nil {
			break
		}
		e := Entry{Event: Told, Connection: a.number, Bytes: len(data)}
		var head struct {
			MessageID string `json:"messageId"`
		}
		if json.Unmarshal(data, &head) == nil {
			e.MessageID = head.MessageID
		}
		if len(data) <= keptMessage {
			e.Message = data
		}
		s.note(e)
	}
	close(a.over)
	_ = socket.Close() // again, if need be
	greeting.Wait()
	s.mu.Lock()
	if s.app == a {
		s.app = nil
	}
	s.mu.Unlock()
	s.note(Entry{Event: Closed, Connection: a.number})
}

// greet registers a connection when it is time and pings it until it is over.
func (s *server) greet(a *app, after time.Duration, hangUp bool) {
	if after < 0 {
		return
	}
	select {
	case <-time.After(after):
	case <-a.over:
		return
	}
	registered, _ := json.Marshal(map[string]any{ // strings always encode
		"type": "registered", "connectionId": fmt.Sprintf("app-%d", a.number), "connectionType": "app", "registrationType": "auto",
		"message": "Successfully auto-registered from connection parameters", "appInstanceId": fmt.Sprintf("%d-%d", os.Getpid(), a.number),
	})
	// Noted before it is sent: what is told in answer to it must come after.
	s.note(Entry{Event: Greeted, Connection: a.number})
	if a.write(registered) != nil {
		return
	}
	if hangUp {
		_ = a.socket.Close()
		return
	}
	s.mu.Lock()
	s.app = a
	close(s.change)
	s.change = make(chan struct{})
	s.mu.Unlock()
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = a.socket.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) // the reader notices
			_ = a.write(fmt.Appendf(nil, `{"type":"__ping","timestamp":%d}`, time.Now().UnixMilli()))
		case <-a.over:
			return
		}
	}
}

func (a *app) write(data []byte) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.socket.EnableWriteCompression(len(data) >= 1<<10)
	return a.socket.WriteMessage(websocket.TextMessage, data)
}

// say sends a frame to the provider once one is registered. A frame that was
// given to a connection is not sent again, whatever becomes of that.
func (s *server) say(ctx context.Context, frame []byte) error {
	for {
		s.mu.Lock()
		a, change := s.app, s.change
		s.mu.Unlock()
		if a != nil {
			select {
			case <-a.over:
			default:
				_ = a.write(frame) // lost with its connection
				return nil
			}
		}
		select {
		case <-change:
		case <-time.After(10 * time.Millisecond): // app may be over and not yet forgotten
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
