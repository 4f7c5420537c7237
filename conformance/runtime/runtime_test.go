package runtime_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/conformance/runtime"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

// server is a runtime in this process.
type server struct {
	*runtime.Control
	address string
}

func serve(t *testing.T, args ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "rt") // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	_ = ln.Close() // it only found a port
	ctx, cancel := context.WithCancel(context.Background())
	out, printed := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- runtime.Main(ctx, append([]string{"--port", strconv.Itoa(port), "--dir", dir}, args...), printed, os.Stderr)
		_ = printed.Close() // of a pipe; it cannot fail
	}()
	t.Cleanup(func() {
		cancel()
		if s := <-status; s != 0 {
			t.Errorf("status %d", s)
		}
		_ = os.RemoveAll(dir) // nothing in it matters
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "Server started successfully") {
		t.Fatalf("it printed %q, %v", line, err)
	}
	return &server{Control: &runtime.Control{Dir: dir}, address: "127.0.0.1:" + strconv.Itoa(port)}
}

func (s *server) connect(t *testing.T) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{EnableCompression: true}
	socket, response, err := dialer.DialContext(t.Context(), "ws://"+s.address+"/?clientType=app&appId=a", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // it is empty
	t.Cleanup(func() { _ = socket.Close() })
	return socket
}

func read(t *testing.T, socket *websocket.Conn) map[string]any {
	t.Helper()
	_ = socket.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, data, err := socket.ReadMessage()
	var m map[string]any
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (s *server) await(t *testing.T, event runtime.Event, n int) []runtime.Entry {
	t.Helper()
	for range 1000 {
		entries, err := s.Journal()
		if err != nil {
			t.Fatal(err)
		}
		entries = slices.DeleteFunc(slices.Clone(entries), func(e runtime.Entry) bool { return e.Event != event })
		if len(entries) >= n {
			return entries
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%q was not noted %d times", event, n)
	return nil
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestARuntimeIsHealthyGreetsAndNotesWhatItIsTold(t *testing.T) {
	t.Parallel()
	s := serve(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+"/health", nil)
	do(t, err)
	req.Close = true
	response, err := http.DefaultClient.Do(req)
	do(t, err)
	_ = response.Body.Close() // what it says does not matter
	if response.StatusCode != http.StatusOK {
		t.Errorf("health: status %d", response.StatusCode)
	}
	socket := s.connect(t)
	if m := read(t, socket); m["type"] != "registered" {
		t.Errorf("the first message is %v", m)
	}
	do(t, socket.WriteMessage(websocket.TextMessage, []byte(`{"type":"x","messageId":"m"}`)))
	do(t, socket.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"messageId":"large","pad":"%s"}`, strings.Repeat("x", 1<<20))))
	told := s.await(t, runtime.Told, 2)
	if string(told[0].Message) != `{"type":"x","messageId":"m"}` || told[1].MessageID != "large" || told[1].Message != nil || told[1].Bytes < 1<<20 {
		t.Errorf("told %+v", told)
	}
	if opened := s.await(t, runtime.Opened, 1); opened[0].Query != "clientType=app&appId=a" || opened[0].Connection != 1 {
		t.Errorf("opened %+v", opened)
	}
}

func TestARuntimeSaysAndCountsWhatItIsAskedTo(t *testing.T) {
	t.Parallel()
	s := serve(t)
	said := make(chan error, 1)
	go func() { said <- s.Send(t.Context(), map[string]any{"type": "early"}) }() // it waits for somebody
	socket := s.connect(t)
	read(t, socket)
	if m := read(t, socket); m["type"] != "early" {
		t.Errorf("got %v", m)
	}
	do(t, <-said)
	do(t, s.Count(t.Context(), 5, 100, 10, 0))
	for n := range 100 {
		if m := read(t, socket); m["type"] != "numbered" || m["n"] != float64(5+n) || m["pad"] != strings.Repeat("x", 10) {
			t.Fatalf("message %d is %v", n, m)
		}
	}
}

func TestARuntimeBreaksAsItIsAskedTo(t *testing.T) {
	t.Parallel()
	s := serve(t)
	socket := s.connect(t)
	read(t, socket)
	do(t, s.CutAfter(t.Context(), faultproxy.Up, 10, faultproxy.Reset))
	_ = socket.WriteMessage(websocket.TextMessage, []byte(`{"type":"this is cut"}`)) // it may notice
	s.await(t, runtime.Closed, 1)
	do(t, s.GreetAfter(t.Context(), -1))
	mute := s.connect(t)
	_ = mute.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, data, err := mute.ReadMessage(); err == nil {
		t.Errorf("a runtime that does not greet said %s", data)
	}
	do(t, s.Leave(t.Context()))
	if _, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.address, nil); err == nil { //nolint:bodyclose // there is none
		t.Errorf("a runtime that left answered %v", response)
	}
	do(t, s.Return(t.Context()))
	do(t, s.Refuse(t.Context(), http.StatusTeapot))
	_, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.address, nil)
	if err == nil || response == nil || response.StatusCode != http.StatusTeapot {
		t.Fatalf("a runtime that refuses answered %v, %v", response, err)
	}
	_ = response.Body.Close() // what it says does not matter
	do(t, s.Refuse(t.Context(), 0))
	do(t, s.GreetAfter(t.Context(), 0))
	do(t, s.HangUp(t.Context(), true))
	brief := s.connect(t)
	read(t, brief)
	if _, _, err := brief.ReadMessage(); err == nil {
		t.Error("a runtime that hangs up went on")
	}
	if len(s.await(t, runtime.Told, 0)) != 0 {
		t.Error("a message that was cut was noted")
	}
}
