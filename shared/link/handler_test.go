package link_test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/link"
)

// plainPeer is a WebSocket server that knows no sessions and hands out its
// connections.
func plainPeer(t *testing.T) (addr string, conns <-chan *websocket.Conn) {
	t.Helper()
	made := make(chan *websocket.Conn, 16)
	up := websocket.Upgrader{}
	addr = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		made <- ws
	}))
	t.Cleanup(func() {
		for {
			select {
			case ws := <-made:
				_ = ws.Close()
			default:
				return
			}
		}
	})
	return addr, made
}

// within receives from a channel or fails the test.
func within[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s within 20 s", what)
	}
	return v
}

func TestAReleasedMessageLetsTheNextOneComeBeforeItIsDone(t *testing.T) {
	for _, resume := range []bool{false, true} {
		t.Run(fmt.Sprintf("session %v", resume), func(t *testing.T) {
			second, first := make(chan struct{}), make(chan struct{})
			a := &link.Acceptor{Accept: func(*link.Link, *http.Request) (link.Handler, error) {
				var count atomic.Int64
				return link.Handler{Message: func(m link.Message) {
					if count.Add(1) == 2 {
						close(second)
						return
					}
					m.Release()
					m.Release() // once is enough
					<-second
					m.Release() // too late to matter
					close(first)
				}}, nil
			}}
			l := dial(t, accept(t, a), link.Handler{}, link.Options{Resume: resume})
			for range 2 {
				if err := l.Send([]byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			within(t, first, "end of the first message")
			if err := l.Flush(t.Context()); err != nil {
				t.Errorf("flush: %v", err)
			}
		})
	}
}

func TestGatheredAnswersLeaveTogetherOrWhenFlushed(t *testing.T) {
	addr, conns := plainPeer(t)
	arrived := make(chan struct{})
	arrive := sync.OnceFunc(func() { close(arrived) })
	var l *link.Link
	ready := make(chan struct{})
	send := func(text string) {
		if err := l.Send([]byte(text)); err != nil {
			t.Errorf("send: %v", err)
		}
	}
	l = dial(t, addr, link.Handler{Message: func(m link.Message) {
		<-ready
		switch string(m.Data) {
		case "flush":
			send("flushed")
			m.Flush()
			<-arrived // comes only when the answer has left
			send("after")
		default:
			send("answer")
		}
	}}, link.Options{Gather: true})
	t.Cleanup(arrive) // before the link is closed
	close(ready)
	ws := within(t, conns, "connection")
	defer ws.Close()
	say := func(text string) {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(want string) {
		t.Helper()
		_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, got, err := ws.ReadMessage(); err != nil || string(got) != want {
			t.Fatalf("got %q and %v, want %q", got, err, want)
		}
	}
	for range 100 {
		say("x")
	}
	for range 100 {
		hear("answer")
	}
	say("flush")
	hear("flushed")
	arrive()
	hear("after")
}

// A plain peer acknowledges nothing. What the connection took as a whole counts
// as sent; what it took in part, or not at all, goes to the next connection.
func TestAPlainPeerThatStopsReadingSeesNothingTwice(t *testing.T) {
	for i := range 20 { // who writes when the peer takes no more is a matter of luck
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			stopsReading(t)
		})
	}
}

func stopsReading(t *testing.T) {
	addr, conns := plainPeer(t)
	l := dial(t, addr, link.Handler{}, link.Options{RetryFirst: 10 * time.Millisecond})
	ws := within(t, conns, "connection")
	const count, size = 2000, 8 << 10
	begun := time.Now()
	for i := range uint64(count) { // more than the sockets hold
		m := make([]byte, size)
		binary.BigEndian.PutUint64(m, i)
		if err := l.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("sending took %v: it waited for the peer", took)
	}
	if queued := l.Status().Queued; queued < 2 {
		t.Fatalf("only %d of %d messages wait: the peer holds too much for this test", queued, count)
	}
	next := uint64(0)
	read := func(ws *websocket.Conn, upTo uint64) {
		t.Helper()
		for next < upTo {
			_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
			_, m, err := ws.ReadMessage()
			if err != nil || len(m) != size {
				t.Fatalf("message %d came as %d bytes and %v", next, len(m), err)
			}
			n := binary.BigEndian.Uint64(m)
			if n < next {
				t.Fatalf("message %d came again after %d", n, next-1)
			}
			next = n + 1
		}
	}
	read(ws, 100)
	_ = ws.NetConn().Close()
	ws = within(t, conns, "second connection")
	defer ws.Close()
	read(ws, count)
	if err := l.Flush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
}
