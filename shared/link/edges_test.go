package link_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/link"
)

// slow is a connection that takes no more than a rate of bytes.
type slow struct {
	net.Conn
	pause time.Duration // for each 16 KiB
}

func (s slow) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		<-time.After(s.pause)
		var some int
		some, err = s.Conn.Write(p[:min(len(p), 16<<10)])
		n, p = n+some, p[some:]
	}
	return n, err
}

func TestALargeMessageOnASlowLineIsNoSilence(t *testing.T) {
	t.Parallel()
	got, downs := make(chan int, 1), make(chan error, 10)
	a := &link.Acceptor{
		Options: link.Options{Silence: 300 * time.Millisecond},
		Accept: func(*link.Link, *http.Request) (link.Handler, error) {
			return link.Handler{Message: func(m link.Message) { got <- len(m.Data) }, Down: func(err error) { downs <- err }}, nil
		},
	}
	d := to("ws://" + accept(t, a) + "/")
	d.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return slow{c, 2 * time.Millisecond}, err
	}
	l := link.Dial(context.Background(), d, link.Handler{}, link.Options{Ping: time.Hour})
	t.Cleanup(func() { _ = l.Close(closing(t)) })
	if err := l.Send(bytes.Repeat([]byte("x"), 7<<20)); err != nil {
		t.Fatal(err)
	}
	select {
	case n := <-got:
		if n != 7<<20 {
			t.Errorf("got %d bytes", n)
		}
	case err := <-downs:
		t.Errorf("a peer that sent all the time was left: %v", err)
	}
}

func TestAMessageOfExactlyTheLimitPassesInASession(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	got := make(chan int, 100)
	a := &link.Acceptor{
		Options: link.Options{MaxMessage: limit},
		Accept: func(*link.Link, *http.Request) (link.Handler, error) {
			return link.Handler{Message: func(m link.Message) { got <- len(m.Data) }, Down: func(err error) { got <- -1 }}, nil
		},
	}
	l := dial(t, accept(t, a), link.Handler{}, link.Options{MaxMessage: limit, Resume: true})
	if err := l.Send(make([]byte, limit)); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != limit {
		t.Errorf("got %d, want a message of %d bytes", n, limit)
	}
}

// A peer that is replaced by one without sessions may have seen what was never
// confirmed.
func TestWhatAPlainSuccessorMayHaveSeenIsReportedAndNotRepeated(t *testing.T) {
	t.Parallel()
	frames := make(chan string, 10)
	var plain atomic.Bool
	cut := make(chan struct{})
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{}
		if !plain.Load() {
			up.Subprotocols = []string{link.Subprotocol}
		}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		if !plain.Load() {
			_, hello, err := c.ReadMessage()
			if err != nil {
				return
			}
			answer := strings.Replace(string(hello), `"fresh":false`, `"fresh":true`, 1)
			if err := c.WriteMessage(websocket.TextMessage, []byte(answer)); err != nil {
				return
			}
			_, data, err := c.ReadMessage()
			if err != nil {
				return
			}
			frames <- string(data)
			<-cut // it has seen the message and confirms nothing
			return
		}
		for {
			_, data, err := c.ReadMessage()
			if err != nil {
				return
			}
			frames <- string(data)
		}
	}))
	losses := make(chan link.Loss, 4)
	l := dial(t, addr, link.Handler{Lost: func(loss link.Loss) { losses <- loss }}, link.Options{Resume: true, RetryFirst: 20 * time.Millisecond})
	if err := l.Send([]byte("one")); err != nil {
		t.Fatal(err)
	}
	if data := <-frames; !strings.HasSuffix(data, "\none") {
		t.Fatalf("got %q", data)
	}
	plain.Store(true)
	close(cut)
	if loss := <-losses; loss.Unconfirmed != 1 {
		t.Errorf("loss %+v", loss)
	}
	if err := l.Send([]byte("two")); err != nil {
		t.Fatal(err)
	}
	if data := <-frames; data != "two" {
		t.Errorf("the successor got %q first, want the message that nobody has seen", data)
	}
}

// pipes is a listener whose connections hand every byte over at once.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func TestAConfirmationThatComesAtOnceIsNoMistake(t *testing.T) {
	t.Parallel()
	links, downs := make(chan *link.Link, 1), make(chan error, 1)
	a := &link.Acceptor{Accept: func(l *link.Link, _ *http.Request) (link.Handler, error) {
		return link.Handler{Up: func(link.Up) { links <- l }, Down: func(err error) { downs <- err }}, nil
	}}
	ln := make(pipes)
	server := &http.Server{Handler: a}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	d := websocket.Dialer{Subprotocols: []string{link.Subprotocol}, NetDialContext: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		ln <- there
		return here, nil
	}}
	c, resp, err := d.DialContext(t.Context(), "ws://pipe/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := c.WriteMessage(websocket.TextMessage, []byte(`H{"session":"0123456789abcdef0123","received":0,"fresh":true}`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	l := <-links
	for n := 1; n <= 3000; n++ {
		if err := l.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, _, err = c.ReadMessage(); err == nil {
			err = c.WriteMessage(websocket.TextMessage, []byte("A"+strconv.Itoa(n)+"\n"))
		}
		if err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
	}
	select {
	case err := <-downs:
		t.Errorf("the link left its peer: %v", err)
	default:
	}
	_ = c.Close()
	_ = a.Close(closing(t)) // its peer has gone
	close(ln)
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestASteadyTrickleIsConfirmedAlongTheWay(t *testing.T) {
	t.Parallel()
	a := &link.Acceptor{Accept: func(*link.Link, *http.Request) (link.Handler, error) { return link.Handler{}, nil }}
	l := dial(t, accept(t, a), link.Handler{}, link.Options{Resume: true})
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	most := 0
	for range 100 {
		<-ticker.C
		if err := l.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		most = max(most, l.Status().Queued)
	}
	if most > 50 {
		t.Errorf("%d of 100 messages were unconfirmed at one time", most)
	}
}

func TestTheFirstFrameOfASessionIsBounded(t *testing.T) {
	t.Parallel()
	a := &link.Acceptor{
		Options: link.Options{MaxMessage: 1 << 20},
		Accept:  func(*link.Link, *http.Request) (link.Handler, error) { return link.Handler{}, nil },
	}
	d := websocket.Dialer{Subprotocols: []string{link.Subprotocol}}
	c, resp, err := d.DialContext(t.Context(), "ws://"+accept(t, a)+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer c.Close()
	w, err := c.NextWriter(websocket.TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	piece := bytes.Repeat([]byte("H"), 64<<10)
	for range 2000 { // 125 MiB, unless it is stopped
		if _, err = w.Write(piece); err != nil {
			return
		}
	}
	if _, _, err := c.ReadMessage(); errors.Is(err, io.EOF) || err == nil {
		t.Errorf("it took 125 MiB before a word: %v", err)
	} else {
		t.Errorf("all was taken, then: %v", err)
	}
}

// A connection that is no socket, as over SSH, cannot be written to without waiting.
func TestAConnectionThatIsNoSocketCarriesManyMessagesBothWaysAtOnce(t *testing.T) {
	t.Parallel()
	const messages = 20_000
	var peer *link.Link
	a := &link.Acceptor{
		Accept: func(l *link.Link, _ *http.Request) (link.Handler, error) {
			peer = l
			return link.Handler{Message: func(m link.Message) { _ = l.SendWait(context.Background(), m.Data) }}, nil // what is missing fails the test
		},
	}
	d := to("ws://" + accept(t, a) + "/")
	d.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return struct{ net.Conn }{c}, err
	}
	back := make(chan struct{}, messages)
	var l *link.Link
	up := make(chan struct{})
	l = link.Dial(context.Background(), d, link.Handler{Message: func(link.Message) { back <- struct{}{} }, Up: func(link.Up) { close(up) }}, link.Options{Resume: true})
	t.Cleanup(func() { _ = l.Close(closing(t)) })
	<-up
	for range 4 {
		go func() {
			for range messages / 4 {
				_ = l.SendWait(context.Background(), []byte(`{"type":"x"}`)) // as above
			}
		}()
	}
	limit := time.After(30 * time.Second)
	for n := range messages {
		select {
		case <-back:
		case <-limit:
			t.Fatalf("%d of %d messages came back; the link says %v, its peer %v", n, messages, l.Status(), peer.Status())
		}
	}
}
