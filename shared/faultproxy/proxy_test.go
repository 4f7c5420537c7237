package faultproxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a proxy before a target, and the two ends of a connection through it.
type world struct {
	*faultproxy.Proxy
	near, far net.Conn
	accepted  chan net.Conn
}

func open(t *testing.T) *world {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{accepted: make(chan net.Conn, 10)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			w.accepted <- conn
		}
	}()
	if w.Proxy, err = faultproxy.Listen(faultproxy.To(ln.Addr().String())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.Close() // it always returns nil
		_ = ln.Close()
		<-ended
	})
	w.near, w.far = w.connect(t)
	return w
}

func (w *world) connect(t *testing.T) (near, far net.Conn) {
	t.Helper()
	near, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.Addr())
	if err != nil {
		t.Fatal(err)
	}
	far = <-w.accepted
	for _, conn := range []net.Conn{near, far} { // a test that fails must not wait for ever
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_ = near.Close() // most are closed already
		_ = far.Close()
	})
	return near, far
}

func say(t *testing.T, to net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(to, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, from net.Conn, want string) {
	t.Helper()
	_ = from.SetReadDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, len(want))
	if n, err := io.ReadFull(from, got); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v; want %q", got[:n], err, want)
	}
}

func silent(t *testing.T, from net.Conn) {
	t.Helper()
	_ = from.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := from.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes and %v where nothing should come", n, err)
	}
}

func TestBytesAndOrderlyEndsPassBothWaysAndAreCounted(t *testing.T) {
	w := open(t)
	say(t, w.near, "hello")
	hear(t, w.far, "hello")
	if err := w.near.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the end of one side: %v", err)
	}
	say(t, w.far, "still here")
	hear(t, w.near, "still here")
	if s := w.Stats(); s.Connections != 1 || s.Open != 1 || s.Up != 5 || s.Down != 10 || s.Cuts != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestACutComesAfterExactlySoManyBytesOfItsDirection(t *testing.T) {
	for end, want := range map[faultproxy.End]error{faultproxy.Reset: syscall.ECONNRESET, faultproxy.Orderly: io.EOF} {
		w := open(t)
		w.CutAfter(faultproxy.Down, 7, end)
		say(t, w.near, "these do not count")
		hear(t, w.far, "these do not count")
		if !w.Armed() {
			t.Error("bytes of the other direction burned the fuse")
		}
		say(t, w.far, "1234")
		hear(t, w.near, "1234")
		say(t, w.far, "567890")
		hear(t, w.near, "567")
		if _, err := w.near.Read(make([]byte, 1)); !errors.Is(err, want) {
			t.Errorf("after the cut: %v, want %v", err, want)
		}
		if s := w.Stats(); w.Armed() || s.Cuts != 1 || s.Down != 7 {
			t.Errorf("armed %v, stats %+v", w.Armed(), s)
		}
		near, far := w.connect(t)
		say(t, near, "the next one is whole")
		hear(t, far, "the next one is whole")
	}
}

func TestCutCutsAllThatIsOpen(t *testing.T) {
	w := open(t)
	second, _ := w.connect(t)
	w.Cut(faultproxy.Reset)
	for _, conn := range []net.Conn{w.near, second, w.far} {
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the cut: %v", err)
		}
	}
	if s := w.Stats(); s.Cuts != 2 || s.Open != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestCutCutsAlsoWhatIsJustBeingConnected(t *testing.T) {
	connecting, goOn := make(chan struct{}), make(chan struct{})
	far, other := net.Pipe()
	defer other.Close()
	p, err := faultproxy.Listen(func(context.Context) (net.Conn, error) {
		close(connecting)
		<-goOn
		return far, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	near, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	<-connecting
	p.Cut(faultproxy.Reset)
	close(goOn)
	_ = near.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after the cut: %v", err)
	}
	if s := p.Stats(); s.Cuts != 1 || s.Open != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestWhatIsHeldArrivesInOrderAfterTheRelease(t *testing.T) {
	w := open(t)
	w.Hold(faultproxy.Up)
	say(t, w.near, "one ")
	say(t, w.near, "two")
	silent(t, w.far)
	say(t, w.far, "the other way is free")
	hear(t, w.near, "the other way is free")
	w.Release(faultproxy.Up)
	hear(t, w.far, "one two")
}

func TestWhoSendsIntoAHoldFindsThatNothingIsRead(t *testing.T) {
	w := open(t)
	w.Hold(faultproxy.Up)
	_ = w.near.SetWriteDeadline(time.Now().Add(time.Second))
	block := bytes.Repeat([]byte("x"), 1<<20)
	for i := range 64 {
		if _, err := w.near.Write(block); err != nil {
			return
		}
		if i == 63 {
			t.Error("64 MiB went into a connection that is held")
		}
	}
}

func TestAHalfOpenConnectionStaysOpenAndTheNextIsWhole(t *testing.T) {
	w := open(t)
	for w.Stats().Open == 0 { // the other side is there a moment before the proxy has both
		runtime.Gosched()
	}
	w.Swallow(faultproxy.Down)
	say(t, w.far, "lost")
	silent(t, w.near)
	say(t, w.near, "not lost")
	hear(t, w.far, "not lost")
	near, far := w.connect(t)
	say(t, far, "whole")
	hear(t, near, "whole")
}

func TestAProxyThatLeftRefusesAndReturnsToItsPort(t *testing.T) {
	w := open(t)
	at := w.Addr()
	w.Leave()
	w.Leave()
	if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", at); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting to a proxy that left: %v, %v", conn, err)
	}
	say(t, w.near, "what is open stays open")
	hear(t, w.far, "what is open stays open")
	if err := w.Heal(); err != nil || w.Addr() != at {
		t.Fatalf("it returned to %s with %v; was at %s", w.Addr(), err, at)
	}
	near, far := w.connect(t)
	say(t, near, "back")
	hear(t, far, "back")
}

func TestASlowLineIsAsSlowAsItsShape(t *testing.T) {
	w := open(t)
	w.Shape(faultproxy.Shape{Latency: 50 * time.Millisecond, Jitter: 20 * time.Millisecond})
	begun := time.Now()
	say(t, w.near, "there")
	hear(t, w.far, "there")
	say(t, w.far, "and back")
	hear(t, w.near, "and back")
	if d := time.Since(begun); d < 100*time.Millisecond {
		t.Errorf("a round trip took %v", d)
	}
	w.Shape(faultproxy.Shape{Rate: 64 << 10})
	begun = time.Now()
	text := string(bytes.Repeat([]byte("x"), 32<<10))
	say(t, w.near, text)
	hear(t, w.far, text)
	if d := time.Since(begun); d < 400*time.Millisecond {
		t.Errorf("32 KiB at 64 KiB a second took %v", d)
	}
	if err := w.Heal(); err != nil {
		t.Fatal(err)
	}
}
