package link_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a handler on loopback and returns its host:port.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// closing gives clean-ups a moment of their own: the test's context has ended.
func closing(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// accept runs an Acceptor on loopback.
func accept(t *testing.T, a *link.Acceptor) string {
	t.Helper()
	addr := serve(t, a)
	t.Cleanup(func() {
		if err := a.Close(closing(t)); err != nil {
			t.Errorf("close the acceptor: %v", err)
		}
	})
	return addr
}

func dial(t *testing.T, addr string, h link.Handler, o link.Options) *link.Link {
	t.Helper()
	l := link.Dial(context.Background(), to("ws://"+addr+"/"), h, o)
	t.Cleanup(func() { _ = l.Close(closing(t)) }) // tests that care close it themselves
	return l
}

func to(url string) link.Dialer {
	return link.Dialer{URL: func(context.Context) (string, http.Header, error) { return url, nil, nil }}
}

// counter checks that numbered messages arrive once each, in order.
type counter struct {
	t    *testing.T
	name string
	next atomic.Uint64
	want uint64
	done chan struct{}
}

func newCounter(t *testing.T, name string, want uint64) *counter {
	return &counter{t: t, name: name, want: want, done: make(chan struct{})}
}

func (c *counter) got(m link.Message) {
	if len(m.Data) < 8 {
		c.t.Errorf("%s: a message of %d bytes", c.name, len(m.Data))
		return
	}
	n, next := binary.BigEndian.Uint64(m.Data), c.next.Load()
	if n != next {
		c.t.Errorf("%s: got message %d, want %d", c.name, n, next)
	}
	for i, b := range m.Data[8:] {
		if b != byte(n) {
			c.t.Errorf("%s: message %d is damaged at byte %d", c.name, n, i)
			break
		}
	}
	if c.next.Add(1) == c.want {
		close(c.done)
	}
}

func numbered(n uint64) []byte {
	size := 8 + int(n*2654435761%1500)
	if n%5000 == 4999 {
		size = 300 << 10 // larger than every buffer
	}
	data := bytes.Repeat([]byte{byte(n)}, size)
	binary.BigEndian.PutUint64(data, n)
	return data
}

func pump(t *testing.T, l *link.Link, count uint64) {
	for n := range count {
		if err := l.SendWait(t.Context(), numbered(n)); err != nil {
			t.Errorf("send %d: %v", n, err)
			return
		}
	}
}

// The connection is cut 200 times at random byte counts while both sides send.
func TestASessionLosesAndRepeatsNothingThroughManyCuts(t *testing.T) {
	t.Parallel()
	count, cuts := uint64(100_000), 200
	if testing.Short() {
		count, cuts = 10_000, 20
	}
	there, back := newCounter(t, "to the acceptor", count), newCounter(t, "to the dialer", count)
	lost := func(loss link.Loss) { t.Errorf("lost: %+v", loss) }
	peer := make(chan *link.Link, 1)
	a := &link.Acceptor{Accept: func(l *link.Link, _ *http.Request) (link.Handler, error) {
		peer <- l
		return link.Handler{Message: there.got, Lost: lost}, nil
	}}
	addr := accept(t, a)
	proxy, err := faultproxy.Listen(faultproxy.To(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() }) // it always returns nil
	var resumed atomic.Int64
	l := dial(t, proxy.Addr(), link.Handler{
		Message: back.got, Lost: lost,
		Up: func(up link.Up) {
			if up.Resumed {
				resumed.Add(1)
			}
		},
	}, link.Options{Resume: true, RetryFirst: 20 * time.Millisecond, RetryMax: 50 * time.Millisecond, Stable: time.Nanosecond})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { pump(t, l, count) })
	wg.Go(func() { pump(t, <-peer, count) })

	// The cuts are spread over the whole transfer: about 1.6 GB/100,000 messages
	// pass, and a cut comes each time its share has.
	share := int64(count) * 2 * 800 / int64(cuts+cuts/4)
	for range cuts {
		proxy.CutAfter(faultproxy.Both, 1+rand.Int64N(2*share), faultproxy.AnyEnd)
		for proxy.Armed() {
			select {
			case <-t.Context().Done():
				t.Fatal("the test ended")
			case <-there.done:
				<-back.done
				t.Fatalf("all messages passed after %d of %d cuts", proxy.Stats().Cuts, cuts)
			case <-time.After(time.Millisecond):
			}
		}
	}
	for _, c := range []*counter{there, back} {
		select {
		case <-c.done:
		case <-time.After(2 * time.Minute):
			t.Fatalf("%s: %d of %d messages", c.name, c.next.Load(), c.want)
		}
	}
	if proxy.Stats().Cuts < cuts || resumed.Load() == 0 {
		t.Errorf("%d cuts, %d resumptions; want at least %d and more than 0", proxy.Stats().Cuts, resumed.Load(), cuts)
	}
	t.Logf("%d messages each way, %d cuts, %d resumptions", count, proxy.Stats().Cuts, resumed.Load())
	if err := l.Close(closing(t)); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestAnAcceptorThatForgotTheSessionIsReportedAsALoss(t *testing.T) {
	t.Parallel()
	got := make(chan string, 10)
	newAcceptor := func() *link.Acceptor {
		return &link.Acceptor{Accept: func(*link.Link, *http.Request) (link.Handler, error) {
			return link.Handler{Message: func(m link.Message) { got <- string(m.Data) }}, nil
		}}
	}
	var current atomic.Pointer[link.Acceptor]
	first, second := newAcceptor(), newAcceptor()
	current.Store(first)
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) }))
	t.Cleanup(func() { _ = second.Close(closing(t)) })
	losses, ups := make(chan link.Loss, 1), make(chan link.Up, 4)
	l := dial(t, addr, link.Handler{Lost: func(loss link.Loss) { losses <- loss }, Up: func(u link.Up) { ups <- u }},
		link.Options{Resume: true, RetryFirst: 20 * time.Millisecond})
	<-ups
	if err := l.Send([]byte("one")); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "one" {
		t.Fatalf("got %q", s)
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	current.Store(second)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = first.Close(ctx) // cut, not closed in order: that is what is tested
	// What was never written survives the loss.
	if err := l.Send([]byte("two")); err != nil {
		t.Fatal(err)
	}
	if up := <-ups; up.Resumed {
		t.Error("resumed with an acceptor that never heard of the session")
	}
	select {
	case s := <-got:
		if s != "two" {
			t.Errorf("got %q after the loss", s)
		}
	case loss := <-losses:
		if loss.Unconfirmed != 1 {
			t.Errorf("loss %+v; the second message was either sent again or is unconfirmed", loss)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the second message neither arrived nor was reported")
	}
}

func TestTowardsAPlainPeerMessagesArriveInOrderAndTheGreetingIsChecked(t *testing.T) {
	t.Parallel()
	got := make(chan string, 100)
	up := websocket.Upgrader{}
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if err := c.WriteMessage(websocket.TextMessage, []byte("welcome")); err != nil {
			t.Error(err)
		}
		for {
			_, data, err := c.ReadMessage()
			if err != nil {
				return
			}
			got <- string(data)
		}
	}))
	var greeting atomic.Value
	l := dial(t, addr, link.Handler{Message: func(m link.Message) { t.Errorf("unexpected message %q", m.Data) }},
		link.Options{Resume: true, Greet: func(m link.Message) error { greeting.Store(string(m.Data)); return nil }})
	for i := range 50 {
		if err := l.Send(fmt.Appendf(nil, "%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		if s := <-got; s != strconv.Itoa(i) {
			t.Fatalf("got %q, want %d", s, i)
		}
	}
	if g := greeting.Load(); g != "welcome" {
		t.Errorf("greeting %v", g)
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAFullOutboxIsAnErrorAndRoomIsWaitedFor(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	up := websocket.Upgrader{}
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-open
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			if _, _, err := c.ReadMessage(); err != nil {
				return
			}
		}
	}))
	l := dial(t, addr, link.Handler{}, link.Options{OutboxMessages: 3, OutboxBytes: 100})
	for range 3 {
		if err := l.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	err := l.Send([]byte("x"))
	if !errors.Is(err, link.ErrOverflow) || wire.CodeOf(err) != wire.Unavailable {
		t.Fatalf("send to a full outbox: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.SendWait(ctx, []byte("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("wait for room in vain: %v", err)
	}
	close(open)
	if err := l.SendWait(t.Context(), []byte("x")); err != nil {
		t.Fatalf("wait for room: %v", err)
	}
	if err := l.Send(make([]byte, 101<<20)); wire.CodeOf(err) != wire.TooLarge {
		t.Errorf("send more than a message may have: %v", err)
	}
}

func TestARefusalForGoodEndsTheLinkAndOthersAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		final  bool
	}{{401, true}, {403, true}, {404, true}, {429, false}, {503, false}} {
		t.Run(strconv.Itoa(test.status), func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int64
			second := make(chan struct{})
			addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tries.Add(1) == 2 {
					close(second)
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, "go away")
			}))
			l := dial(t, addr, link.Handler{}, link.Options{RetryFirst: 10 * time.Millisecond})
			select {
			case <-l.Done():
				var refused *link.RefusedError
				if !test.final || !errors.As(l.Err(), &refused) || refused.Status != test.status || refused.Body != "go away" {
					t.Errorf("ended with %v", l.Err())
				}
				if wire.Retryable(l.Err()) {
					t.Error("the error says that trying again helps")
				}
			case <-second:
				if test.final {
					t.Error("tried again")
				}
			case <-time.After(10 * time.Second):
				t.Fatal("neither ended nor tried again")
			}
		})
	}
}

func TestTheFirstRetryComesWithinASecond(t *testing.T) {
	t.Parallel()
	times := make(chan time.Time, 10)
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case times <- time.Now():
		default:
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	dial(t, addr, link.Handler{}, link.Options{})
	first, second := <-times, <-times
	if d := second.Sub(first); d < 100*time.Millisecond || d > 1100*time.Millisecond {
		t.Errorf("the first retry came after %v", d)
	}
}

func TestASilentPeerIsNoticedAndLeft(t *testing.T) {
	t.Parallel()
	a := &link.Acceptor{Accept: func(*link.Link, *http.Request) (link.Handler, error) { return link.Handler{}, nil }}
	addr := accept(t, a)
	proxy, err := faultproxy.Listen(faultproxy.To(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() }) // it always returns nil
	ups, downs := make(chan link.Up, 10), make(chan error, 10)
	dial(t, proxy.Addr(), link.Handler{Up: func(u link.Up) { ups <- u }, Down: func(err error) { downs <- err }},
		link.Options{Resume: true, Ping: 50 * time.Millisecond, Silence: 300 * time.Millisecond, RetryFirst: 20 * time.Millisecond})
	<-ups
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { proxy.Blackhole(ctx, time.Minute) })
	err = <-downs
	if wire.CodeOf(err) != wire.Timeout {
		t.Errorf("a silent peer: %v", err)
	}
	cancel()
	wg.Wait()
	if up := <-ups; !up.Resumed || up.Generation != 2 {
		t.Errorf("after the silence: %+v", up)
	}
}

func TestPingsKeepAnIdleConnection(t *testing.T) {
	t.Parallel()
	a := &link.Acceptor{
		Options: link.Options{Ping: time.Hour, Silence: time.Second},
		Accept:  func(*link.Link, *http.Request) (link.Handler, error) { return link.Handler{}, nil },
	}
	addr := accept(t, a)
	down := make(chan error, 1)
	l := dial(t, addr, link.Handler{Down: func(err error) { down <- err }}, link.Options{Ping: 100 * time.Millisecond, Silence: time.Second})
	select {
	case err := <-down:
		t.Errorf("an idle connection broke: %v", err)
	case <-time.After(3 * time.Second):
	}
	if s := l.Status(); !s.Connected || s.Generation != 1 {
		t.Errorf("status %+v", s)
	}
}

func TestCloseSendsWhatIsQueuedAndEndsThePeersSession(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1000)
	peer := make(chan *link.Link, 1)
	a := &link.Acceptor{Accept: func(l *link.Link, _ *http.Request) (link.Handler, error) {
		peer <- l
		return link.Handler{Message: func(m link.Message) { got <- string(m.Data) }}, nil
	}}
	addr := accept(t, a)
	up := make(chan link.Up, 1)
	l := dial(t, addr, link.Handler{Up: func(u link.Up) { up <- u }}, link.Options{Resume: true})
	<-up
	for range 1000 {
		if err := l.Send([]byte("m")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(closing(t)); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := l.Close(closing(t)); err != nil {
		t.Errorf("close again: %v", err)
	}
	if !errors.Is(l.Err(), link.ErrClosed) || !errors.Is(l.Send([]byte("x")), link.ErrClosed) {
		t.Errorf("after close: %v, %v", l.Err(), l.Send([]byte("x")))
	}
	if len(got) != 1000 {
		t.Errorf("%d of 1000 messages arrived before the end", len(got))
	}
	select {
	case <-(<-peer).Done():
	case <-time.After(10 * time.Second):
		t.Error("the peer keeps a session that was closed")
	}
}

func TestASessionWithoutAConnectionEnds(t *testing.T) {
	t.Parallel()
	peer := make(chan *link.Link, 1)
	lost := make(chan link.Loss, 1)
	a := &link.Acceptor{
		Options: link.Options{SessionTTL: 50 * time.Millisecond},
		Accept: func(l *link.Link, _ *http.Request) (link.Handler, error) {
			peer <- l
			return link.Handler{}, nil
		},
	}
	addr := accept(t, a)
	up := make(chan link.Up, 1)
	ctx, cancel := context.WithCancel(context.Background())
	l := link.Dial(ctx, to("ws://"+addr+"/"), link.Handler{Up: func(u link.Up) { up <- u }, Lost: func(x link.Loss) { lost <- x }}, link.Options{Resume: true})
	<-up
	cancel() // no orderly end
	<-l.Done()
	select {
	case <-(<-peer).Done():
	case <-time.After(10 * time.Second):
		t.Error("the session never ends")
	}
}

func TestLargeMessagesPassCompressedAndPlain(t *testing.T) {
	t.Parallel()
	for _, compress := range []bool{false, true} {
		for _, resume := range []bool{false, true} {
			t.Run(fmt.Sprintf("compress=%v resume=%v", compress, resume), func(t *testing.T) {
				t.Parallel()
				a := &link.Acceptor{}
				a.Accept = func(l *link.Link, _ *http.Request) (link.Handler, error) {
					return link.Handler{Message: func(m link.Message) {
						if err := l.Send(m.Data); err != nil {
							t.Error(err)
						}
					}}, nil
				}
				addr := accept(t, a)
				back := make(chan []byte, 1)
				l := dial(t, addr, link.Handler{Message: func(m link.Message) { back <- m.Data }}, link.Options{Resume: resume, Compress: compress})
				for _, size := range []int{0, 1, 1 << 10, 40 << 10, 20 << 20} {
					data := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
					if err := l.Send(bytes.Clone(data)); err != nil {
						t.Fatal(err)
					}
					select {
					case got := <-back:
						if !bytes.Equal(got, data) {
							t.Errorf("%d bytes came back as %d others", size, len(got))
						}
					case <-time.After(30 * time.Second):
						t.Fatalf("%d bytes did not come back", size)
					}
				}
			})
		}
	}
}

func TestAMessageOverTheLimitEndsTheConnectionAlsoWhenCompressed(t *testing.T) {
	t.Parallel()
	for _, compress := range []bool{false, true} {
		downs := make(chan error, 10)
		a := &link.Acceptor{
			Options: link.Options{MaxMessage: 1 << 20},
			Accept: func(*link.Link, *http.Request) (link.Handler, error) {
				return link.Handler{
					Message: func(m link.Message) { t.Errorf("got a message of %d bytes", len(m.Data)) },
					Down:    func(err error) { downs <- err },
				}, nil
			},
		}
		addr := accept(t, a)
		l := dial(t, addr, link.Handler{}, link.Options{Compress: compress})
		if err := l.Send(make([]byte, 2<<20)); err != nil {
			t.Fatal(err)
		}
		if err := <-downs; wire.CodeOf(err) != wire.TooLarge {
			t.Errorf("compress %v: %v", compress, err)
		}
		_ = l.Close(closing(t)) // its message can never leave
	}
}

func TestALineThatBreaksAgainAndAgainIsUpForMostOfTheTime(t *testing.T) {
	t.Parallel()
	const breaks = 12
	select {
	case <-flapping(t, true, breaks):
	case <-time.After(10 * time.Second): // growing pauses would take 40 s
		t.Errorf("fewer than %d connections were made", breaks)
	}
	select {
	case <-flapping(t, false, breaks):
		t.Error("a peer that never says a word is called again and again")
	case <-time.After(2 * time.Second): // constant pauses would take 1 s
	}
}

// flapping is a link to a peer that breaks each connection after a moment, on
// which it says something or not. The channel is closed at the last break.
func flapping(t *testing.T, says bool, breaks int64) (done chan struct{}) {
	t.Helper()
	const first = 20 * time.Millisecond
	var made atomic.Int64
	done = make(chan struct{})
	up := websocket.Upgrader{}
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		if made.Add(1) == breaks {
			close(done)
		}
		if says {
			_ = ws.WriteMessage(websocket.TextMessage, []byte("{}"))
		}
		_ = ws.SetReadDeadline(time.Now().Add(2 * first)) // then it breaks
		_, _, _ = ws.ReadMessage()
	}))
	dial(t, addr, link.Handler{}, link.Options{RetryFirst: first, RetryMax: time.Minute})
	return done
}

func TestAPeerThatHangsUpAtOnceIsCalledWithGrowingPauses(t *testing.T) {
	t.Parallel()
	var made atomic.Int64
	third := make(chan struct{})
	up := websocket.Upgrader{}
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		if made.Add(1) == 3 {
			close(third)
		}
		_ = ws.Close()
	}))
	dial(t, addr, link.Handler{}, link.Options{RetryFirst: 400 * time.Millisecond, RetryMax: time.Minute})
	<-third
	// The next pauses are at least 0.4, 0.8 and 1.6 s.
	time.Sleep(time.Second)
	if n := made.Load(); n > 5 {
		t.Errorf("%d connections were made to a peer that hangs up at once", n)
	}
}
