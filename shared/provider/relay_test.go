package provider

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/link"
)

// flood is a runtime that says more than a server reads, with a relay between.
type flood struct {
	t      *testing.T
	relay  *relay
	giveUp context.CancelFunc
	peer   *link.Link    // the runtime's
	said   atomic.Uint64 // messages that its outbox has taken
	other  chan string   // what else it said
	read   chan struct{} // closed when the server begins to read
	got    chan uint64   // the numbers that the server reads
}

const (
	floodPiece = 32 << 10
	floodCount = 1024
)

func newFlood(t *testing.T, session bool) *flood {
	t.Helper()
	f := &flood{t: t, other: make(chan string, 1), read: make(chan struct{}), got: make(chan uint64, floodCount)}
	up := websocket.Upgrader{}
	server := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.Close()
		select {
		case <-f.read:
		case <-t.Context().Done():
		}
		for {
			_, data, err := ws.ReadMessage()
			if err != nil {
				return
			}
			f.got <- binary.BigEndian.Uint64(data)
		}
	}))
	to := link.Dial(context.Background(), server, link.Handler{}, link.Options{})
	f.relay = &relay{to: to, log: slog.New(slog.DiscardHandler)}
	f.relay.ctx, f.giveUp = context.WithCancel(context.Background())

	peers := make(chan *link.Link, 1)
	a := &link.Acceptor{
		Options: link.Options{OutboxBulk: 4 << 20},
		Accept: func(l *link.Link, _ *http.Request) (link.Handler, error) {
			peers <- l
			return link.Handler{}, nil
		},
	}
	from := link.Dial(context.Background(), listen(t, a), link.Handler{Message: func(m link.Message) {
		if len(m.Data) == floodPiece {
			f.relay.pass(m)
			return
		}
		f.other <- string(m.Data)
	}}, link.Options{Resume: session})
	f.peer = <-peers
	go func() {
		for n := range uint64(floodCount) {
			data := make([]byte, floodPiece)
			binary.BigEndian.PutUint64(data, n)
			if f.peer.SendBulkWait(context.Background(), data) != nil {
				return
			}
			f.said.Add(1)
		}
	}()
	t.Cleanup(func() {
		f.relay.end(f.giveUp)
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_, _, _ = from.Close(ended), to.Close(ended), a.Close(ended) // cut: they are full
	})
	return f
}

func listen(t *testing.T, h http.Handler) link.Dialer {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return link.Dialer{URL: func(context.Context) (string, http.Header, error) {
		return "ws" + strings.TrimPrefix(s.URL, "http") + "/", nil, nil
	}}
}

// halt waits until nothing moves, and gives how many bytes wait in the relay.
func (f *flood) halt() int {
	f.t.Helper()
	for before := uint64(0); ; {
		time.Sleep(300 * time.Millisecond)
		now := f.said.Load()
		if now == before && now > 0 {
			break
		}
		before = now
	}
	if n := f.said.Load(); n == floodCount {
		f.t.Fatal("everything found room: this test shows nothing")
	}
	f.relay.mu.Lock()
	defer f.relay.mu.Unlock()
	return f.relay.bytes
}

func TestAServerThatDoesNotReadStopsTheRuntimeAndThenHearsAllOfIt(t *testing.T) {
	for _, session := range []bool{false, true} {
		t.Run(fmt.Sprintf("session %v", session), func(t *testing.T) {
			t.Parallel()
			f := newFlood(t, session)
			most := floodPiece
			if session {
				most = 4 << 20
			}
			if waiting := f.halt(); waiting > most {
				t.Errorf("%d bytes wait in the relay, want at most %d", waiting, most)
			}
			if session {
				if err := f.peer.Send([]byte("something else")); err != nil {
					t.Fatal(err)
				}
				select {
				case <-f.other:
				case <-time.After(10 * time.Second):
					t.Fatal("other messages of the runtime are not read")
				}
			}
			close(f.read)
			for want := range uint64(floodCount) {
				select {
				case n := <-f.got:
					if n != want {
						t.Fatalf("got message %d, want %d", n, want)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("message %d does not come", want)
				}
			}
		})
	}
}

func TestARelayThatGivesUpLeavesNoGap(t *testing.T) {
	t.Parallel()
	f := newFlood(t, true)
	f.halt()
	if lost := f.relay.end(f.giveUp); lost == 0 {
		t.Error("nothing was lost: this test shows nothing")
	}
	close(f.read)
	want := uint64(0)
	for quiet := false; !quiet; {
		select {
		case n := <-f.got:
			if n != want {
				t.Fatalf("got message %d, want %d", n, want)
			}
			want++
		case <-time.After(500 * time.Millisecond):
			quiet = true
		}
	}
	if want == 0 || want == floodCount {
		t.Errorf("%d messages came", want)
	}
}
