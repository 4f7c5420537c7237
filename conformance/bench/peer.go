package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// peer is a process that dialed us, and the connection it made.
type peer struct {
	cmd  *exec.Cmd
	conn *websocket.Conn
}

// listener accepts the WebSockets of peers.
type listener struct {
	net   net.Listener
	conns chan *websocket.Conn
	http  http.Server
}

func listen() (*listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a loopback listener is there at once
	if err != nil {
		return nil, err
	}
	l := &listener{net: ln, conns: make(chan *websocket.Conn, 1)}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	l.http.ReadHeaderTimeout = 10 * time.Second
	l.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return // the upgrader has answered
		}
		conn.SetReadLimit(-1)
		l.conns <- conn
	})
	go func() { _ = l.http.Serve(ln) }() // ends with Close
	return l, nil
}

func (l *listener) port() int { return l.net.Addr().(*net.TCPAddr).Port }

// spawn starts a process and waits for its WebSocket.
func (l *listener) spawn(ctx context.Context, cmd *exec.Cmd) (*peer, error) {
	l.turnAway()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	select {
	case conn := <-l.conns:
		return &peer{cmd: cmd, conn: conn}, nil
	case <-time.After(20 * time.Second):
	case <-ctx.Done():
	}
	_ = cmd.Process.Kill() // it may have ended by itself
	_ = cmd.Wait()
	return nil, fmt.Errorf("%s did not connect", cmd.Path)
}

// turnAway ends connections that nobody waits for: a peer whose connection was ended
// before it was told to end may have come again.
func (l *listener) turnAway() {
	for {
		select {
		case conn := <-l.conns:
			_ = conn.Close() // its peer has gone
		default:
			return
		}
	}
}

// call writes a request and reads frames until the answer of that name.
func (p *peer) call(request map[string]any, name string) (json.RawMessage, error) {
	if err := p.conn.WriteJSON(request); err != nil {
		return nil, err
	}
	for {
		_, frame, err := p.conn.ReadMessage()
		if err != nil {
			return nil, err
		}
		var head struct {
			Type, Action, Error string
			Message             json.RawMessage
		}
		if err := json.Unmarshal(frame, &head); err != nil {
			return nil, err
		}
		if head.Action != name && head.Type != name {
			continue
		}
		if head.Error != "" {
			return nil, fmt.Errorf("%s: %s", name, head.Error)
		}
		return head.Message, nil
	}
}

// end closes the connection and the process.
func (p *peer) end() {
	_ = p.conn.Close()
	_ = p.cmd.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// echoPeer is the bare counterpart of a provider: a process that dials the
// server and sends every frame back.
func echoPeer(ctx context.Context) error {
	conn, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws://127.0.0.1:"+os.Getenv("SOCKET_PORT")+"/", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	defer func() { _ = conn.Close() }()
	for {
		kind, frame, err := conn.ReadMessage()
		if err != nil {
			return nil // the server is done with us
		}
		if err := conn.WriteMessage(kind, frame); err != nil {
			return err
		}
	}
}

// stubRuntime is an agent server that, when told {"type":"flood","count":N,
// "size":B}, sends N messages of about B bytes as fast as they are taken.
func stubRuntime(ctx context.Context, port string) error {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	server := http.Server{Addr: "127.0.0.1:" + port, ReadHeaderTimeout: 10 * time.Second}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			_, _ = w.Write([]byte(`{"status":"ok"}`)) // the caller sees a short answer
			return
		}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		greet := map[string]any{"type": "registered", "connectionId": "bench", "connectionType": "app", "message": "hello"}
		if err := conn.WriteJSON(greet); err != nil {
			return
		}
		for {
			var ask struct {
				Type        string
				Count, Size int
			}
			if err := conn.ReadJSON(&ask); err != nil {
				return
			}
			for i := range ask.Count {
				if err := conn.WriteMessage(websocket.TextMessage, floodFrame(i, ask.Size)); err != nil {
					return
				}
			}
		}
	})
	context.AfterFunc(ctx, func() { _ = server.Close() })
	_, _ = fmt.Fprintln(os.Stdout, "Server started successfully on port", port)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func floodFrame(i, size int) []byte {
	frame := []byte(`{"type":"agentMessage","n":` + strconv.Itoa(i) + `,"data":"`)
	for len(frame) < size-2 {
		frame = append(frame, "abcdefghijklmnopqrstuvwxyz012345"[:min(32, size-2-len(frame))]...)
	}
	return append(frame, `"}`...)
}
