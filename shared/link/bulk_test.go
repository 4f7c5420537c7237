package link_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/link"
)

func TestBulkTakesNoRoomOfOtherMessagesAndKeepsItsOrderWithThem(t *testing.T) {
	t.Parallel()
	got := make(chan string, 10)
	ready := make(chan struct{})
	a := &link.Acceptor{Accept: func(*link.Link, *http.Request) (link.Handler, error) {
		return link.Handler{Message: func(m link.Message) { got <- string(m.Data[:1]) }}, nil
	}}
	addr := accept(t, a)
	l := link.Dial(context.Background(), link.Dialer{URL: func(ctx context.Context) (string, http.Header, error) {
		select {
		case <-ready:
		case <-ctx.Done():
		}
		return "ws://" + addr + "/", nil, nil
	}}, link.Handler{}, link.Options{OutboxBytes: 100, OutboxBulk: 1000})
	t.Cleanup(func() { _ = l.Close(closing(t)) }) // it may be closed already
	send := func(f func([]byte) error, first byte, size int) error {
		data := make([]byte, size)
		data[0] = first
		return f(data)
	}
	for _, err := range []error{send(l.SendBulk, '1', 600), send(l.Send, '2', 60), send(l.SendBulk, '3', 400), send(l.Send, '4', 40)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if bulk, other := send(l.SendBulk, 'x', 1), send(l.Send, 'x', 1); !errors.Is(bulk, link.ErrOverflow) || !errors.Is(other, link.ErrOverflow) {
		t.Errorf("beyond the limits: bulk %v, other %v", bulk, other)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.SendBulkWait(ctx, make([]byte, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait for room in vain: %v", err)
	}
	close(ready)
	if err := send(func(data []byte) error { return l.SendBulkWait(t.Context(), data) }, '5', 1000); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"1", "2", "3", "4", "5"} {
		if s := within(t, got, "message"); s != want {
			t.Errorf("got %s, want %s", s, want)
		}
	}
}

// keeper is a handler that holds bulk messages, which are numbered, and lets
// others through.
type keeper struct {
	t     *testing.T
	other chan string

	mu    sync.Mutex
	next  uint64
	held  []link.Message
	letGo bool
}

func (k *keeper) got(m link.Message) {
	if len(m.Data) < 1024 {
		k.other <- string(m.Data)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := binary.BigEndian.Uint64(m.Data); n != k.next {
		k.t.Errorf("got message %d, want %d", n, k.next)
	}
	k.next++
	if !m.Hold() {
		k.t.Error("not held")
	}
	if k.letGo {
		m.Release()
		return
	}
	k.held = append(k.held, m)
}

func (k *keeper) count() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.next
}

func (k *keeper) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.letGo = true
	for i := range k.held { // the order does not matter
		k.held[len(k.held)-1-i].Release()
	}
}

func TestAPeerWhoseMessagesAreHeldStopsAndAllElseGoesOn(t *testing.T) {
	t.Parallel()
	const room, total = 64, 1000
	peers := make(chan *link.Link, 1)
	a := &link.Acceptor{
		Options: link.Options{OutboxBulk: room << 10},
		Accept: func(l *link.Link, _ *http.Request) (link.Handler, error) {
			peers <- l
			return link.Handler{}, nil
		},
	}
	proxy, err := faultproxy.Listen(faultproxy.To(accept(t, a)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() }) // it always returns nil
	k := &keeper{t: t, other: make(chan string, 1)}
	ups := make(chan link.Up, 10)
	l := dial(t, proxy.Addr(), link.Handler{
		Message: k.got, Up: func(up link.Up) { ups <- up },
		Lost: func(loss link.Loss) { t.Errorf("lost: %+v", loss) },
	}, link.Options{Resume: true, RetryFirst: 20 * time.Millisecond})
	within(t, ups, "connection")
	peer := within(t, peers, "peer")
	sent := make(chan error, 1)
	go func() {
		for n := range uint64(total) {
			data := make([]byte, 1024)
			binary.BigEndian.PutUint64(data, n)
			if err := peer.SendBulkWait(context.Background(), data); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for begun := time.Now(); k.count() < room; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%d messages came, want %d", k.count(), room)
		}
	}
	through := func(when string) {
		t.Helper()
		if err := peer.Send([]byte(when)); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if s := within(t, k.other, "message "+when); s != when {
			t.Errorf("got %q, want %q", s, when)
		}
		if err := l.Send([]byte(when)); err != nil {
			t.Error(err)
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Errorf("%s: the peer does not acknowledge: %v", when, err)
		}
		if n := k.count(); n != room {
			t.Errorf("%s: %d messages came, and there was room for %d", when, n, room)
		}
	}
	through("while they are held")
	proxy.Cut(faultproxy.Reset)
	if up := within(t, ups, "second connection"); !up.Resumed {
		t.Error("not resumed")
	}
	through("on the next connection")
	k.release()
	if err := within(t, sent, "end of sending"); err != nil {
		t.Error(err)
	}
	if err := peer.Flush(t.Context()); err != nil {
		t.Errorf("what was released is not acknowledged: %v", err)
	}
	if n := k.count(); n != total {
		t.Errorf("%d messages came, want %d", n, total)
	}
}

func TestOutsideOfASessionNothingIsHeld(t *testing.T) {
	t.Parallel()
	held := make(chan bool, 2)
	a := &link.Acceptor{Accept: func(*link.Link, *http.Request) (link.Handler, error) {
		return link.Handler{Message: func(m link.Message) { held <- m.Hold() }}, nil
	}}
	l := dial(t, accept(t, a), link.Handler{}, link.Options{})
	for range 2 {
		if err := l.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if within(t, held, "message") {
			t.Error("held")
		}
	}
	if (link.Message{}).Hold() {
		t.Error("a message that no link delivered was held")
	}
}

func TestWhatIsHeldOfALostSessionConfirmsNothingOfTheNext(t *testing.T) {
	t.Parallel()
	peers := make(chan *link.Link, 2)
	newAcceptor := func() *link.Acceptor {
		return &link.Acceptor{Accept: func(l *link.Link, _ *http.Request) (link.Handler, error) {
			peers <- l
			return link.Handler{}, nil
		}}
	}
	var current atomic.Pointer[link.Acceptor]
	first, second := newAcceptor(), newAcceptor()
	current.Store(first)
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) }))
	t.Cleanup(func() { _ = second.Close(closing(t)) }) // of no interest here
	got, lost := make(chan link.Message, 1), make(chan link.Loss, 1)
	dial(t, addr, link.Handler{
		Message: func(m link.Message) { m.Hold(); got <- m },
		Lost:    func(loss link.Loss) { lost <- loss },
	}, link.Options{Resume: true, RetryFirst: 20 * time.Millisecond})
	say := func(l *link.Link, text string) link.Message {
		t.Helper()
		if err := l.Send([]byte(text)); err != nil {
			t.Fatal(err)
		}
		m := within(t, got, "message "+text)
		if string(m.Data) != text {
			t.Fatalf("got %q, want %q", m.Data, text)
		}
		return m
	}
	old := say(within(t, peers, "peer"), "old")
	current.Store(second)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = first.Close(ended) // cut, not closed in order: that is what is tested
	peer := within(t, peers, "second peer")
	within(t, lost, "loss")
	young := say(peer, "young")
	old.Release()
	moment, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := peer.Flush(moment); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a message that is held was acknowledged: %v", err)
	}
	young.Release()
	if err := peer.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhoWantsToHearThatAMessageHasLeftHearsItOnceAndNotBefore(t *testing.T) {
	t.Parallel()
	for name, session := range map[string]bool{"a session": true, "none": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 10)
			hold := make(chan struct{})
			a := &link.Acceptor{Accept: func(*link.Link, *http.Request) (link.Handler, error) {
				return link.Handler{Message: func(m link.Message) {
					got <- string(m.Data)
					<-hold
				}}, nil
			}}
			addr := accept(t, a)
			l := link.Dial(context.Background(), link.Dialer{URL: func(context.Context) (string, http.Header, error) { return "ws://" + addr + "/", nil, nil }},
				link.Handler{}, link.Options{Resume: session})
			t.Cleanup(func() { _ = l.Close(closing(t)) })
			var left atomic.Int32
			gone := make(chan struct{}, 2)
			for _, text := range []string{"first", "second"} {
				if err := l.SendBulkThen(t.Context(), []byte(text), func() { left.Add(1); gone <- struct{}{} }); err != nil {
					t.Fatal(err)
				}
			}
			if s := within(t, got, "message"); s != "first" {
				t.Errorf("got %q", s)
			}
			if session && left.Load() > 0 {
				t.Error("it has left before the peer has had it")
			}
			close(hold)
			within(t, gone, "first has left")
			within(t, gone, "second has left")
			if err := l.Close(closing(t)); err != nil || left.Load() != 2 {
				t.Errorf("%d have left: %v", left.Load(), err)
			}
		})
	}
}

func TestBulkThatABrokenConnectionMayHaveLostIsWrittenAgainInItsOrder(t *testing.T) {
	t.Parallel()
	const before, count = 20, 40
	got := make(chan string, 3*count)
	stop := make(chan struct{})
	var connections atomic.Int32
	a := &link.Acceptor{Accept: func(*link.Link, *http.Request) (link.Handler, error) {
		first := connections.Add(1) == 1
		return link.Handler{Message: func(m link.Message) {
			got <- string(m.Data)
			if first && string(m.Data) == "bulk 10" {
				<-stop // what comes after it is lost
			}
		}}, nil
	}}
	proxy, err := faultproxy.Listen(faultproxy.To(accept(t, a)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	l := link.Dial(context.Background(), link.Dialer{URL: func(context.Context) (string, http.Header, error) { return "ws://" + proxy.Addr() + "/", nil, nil }},
		link.Handler{}, link.Options{RetryFirst: time.Millisecond, Again: func(data []byte) []byte { return append([]byte("again "), data...) }})
	t.Cleanup(func() { _ = l.Close(closing(t)) })
	var had atomic.Int32
	send := func(i int) {
		t.Helper()
		if err := l.SendBulkThen(t.Context(), []byte("bulk "+strconv.Itoa(i)), func() { had.Add(1) }); err != nil {
			t.Fatal(err)
		}
		if err := l.Send([]byte("other " + strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range before {
		send(i)
	}
	seen, others := 0, map[string]int{}
	next := func() (text string) {
		text = within(t, got, "message")
		if number, ok := strings.CutPrefix(text, "other "); ok {
			others[number]++
			return ""
		}
		return text
	}
	for seen <= 10 {
		if text := next(); text == "bulk "+strconv.Itoa(seen) {
			seen++
		} else if text != "" {
			t.Fatalf("%q comes after %d", text, seen-1)
		}
	}
	for l.Status().Queued > 0 { // the rest is written
		time.Sleep(time.Millisecond)
	}
	if had.Load() > 11 {
		t.Errorf("%d count as arrived, and 11 have", had.Load())
	}
	proxy.Cut(faultproxy.Reset)
	close(stop)
	for i := before; i < count; i++ {
		send(i)
	}
	repeated := 0
	for seen < count {
		text := next()
		if text == "" {
			continue
		}
		number, again := strings.CutPrefix(text, "again ")
		if again {
			repeated++
		}
		switch i, err := strconv.Atoi(strings.TrimPrefix(number, "bulk ")); {
		case err != nil, i > seen, i < seen && !again:
			t.Fatalf("%q comes after %d", text, seen-1)
		case i == seen:
			seen++
		}
	}
	if repeated < before-11 {
		t.Errorf("%d were repeated", repeated)
	}
	for number, times := range others {
		if times > 1 {
			t.Errorf("other %s came %d times", number, times)
		}
	}
	for had.Load() < count {
		time.Sleep(time.Millisecond) // until the answers are there; the test's time ends it
	}
}
