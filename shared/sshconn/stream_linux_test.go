package sshconn_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// socket serves a unix socket until the test ends.
func socket(t *testing.T, serve func(*net.UnixConn)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "socket")
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				serve(conn.(*net.UnixConn))
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); all.Wait() })
	return path
}

func echo(conn *net.UnixConn) { _, _ = io.Copy(conn, conn) }

func open(t *testing.T, c *sshconn.Client, path string) net.Conn {
	t.Helper()
	conn, err := c.DialUnix(soon(t), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestASocketOfTheHostIsReached(t *testing.T) {
	t.Parallel()
	jump, s := sshtest.Start(t, sshtest.Options{Name: "jump"}), sshtest.Start(t, sshtest.Options{})
	c := dial(t, "sshtest", configured(t, "Host sshtest\nProxyJump jump", jump, s))
	path := socket(t, echo)
	var all sync.WaitGroup
	for i := range 12 { // more than MaxSessions
		all.Go(func() {
			conn, err := c.DialUnix(soon(t), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			data := make([]byte, 1<<20+i)
			random := rand.NewChaCha8(sha256.Sum256([]byte{byte(i)}))
			_, _ = random.Read(data)
			all.Go(func() {
				if _, err := conn.Write(data); err != nil {
					t.Error(err)
				}
				if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
					t.Error(err)
				}
			})
			back, err := io.ReadAll(conn)
			if err != nil || !bytes.Equal(back, data) {
				t.Errorf("%d bytes came back of %d: %v", len(back), len(data), err)
			}
		})
	}
	all.Wait()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	_, err = c.DialTCP(soon(t), ln.Addr().String())
	refused(t, err, wire.Unavailable, "via jump", "could not connect to "+ln.Addr().String(), "Connection refused")
	_, err = c.DialTCP(soon(t), "nowhere")
	refused(t, err, wire.Invalid, "host:port")
	conn, err := c.DialTCP(soon(t), s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := make([]byte, 8)
	if _, err := io.ReadFull(conn, hello); err != nil || string(hello) != "SSH-2.0-" {
		t.Errorf("read %q: %v", hello, err)
	}
}

func TestForbiddenForwardingIsSaid(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{NoStreamLocalForwarding: true, NoTCPForwarding: true})
	c := dial(t, "sshtest", configured(t, "", s))
	path := socket(t, echo)
	_, err := c.DialUnix(soon(t), path)
	refused(t, err, wire.Unavailable, path, "AllowStreamLocalForwarding")
	_, err = c.DialTCP(soon(t), s.Addr)
	refused(t, err, wire.Permission, "forbids", "AllowTcpForwarding")
}

func TestAStreamKnowsDeadlines(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	c := dial(t, "sshtest", configured(t, "", s))
	conn := open(t, c, socket(t, func(conn *net.UnixConn) {
		word := make([]byte, 4)
		if _, err := io.ReadFull(conn, word); err == nil {
			_, _ = conn.Write(word)
			<-t.Context().Done() // and it reads no more
		}
	}))
	buf := make([]byte, 4)
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := conn.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read over its time gave %v", err)
	}
	// It goes on afterwards.
	_ = conn.SetDeadline(time.Time{})
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "ping" {
		t.Errorf("read %q: %v", buf, err)
	}
	_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := conn.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write over its time wrote %d bytes and gave %v", n, err)
	}
	_ = conn.Close()
	if _, err := conn.Read(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read after Close gave %v", err)
	}
	if _, err := conn.Write(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write after Close gave %v", err)
	}
}

func TestWhatWasWrittenBeforeCloseArrives(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	c := dial(t, "sshtest", configured(t, "", s))
	got := make(chan []byte, 1)
	path := socket(t, func(conn *net.UnixConn) {
		data, _ := io.ReadAll(conn)
		got <- data
	})
	for i := range 20 {
		conn := open(t, c, path)
		text := fmt.Sprintf("goodbye %d", i)
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		select {
		case data := <-got:
			if string(data) != text {
				t.Errorf("%q arrived, not %q", data, text)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the end did not arrive")
		}
	}
}

func TestClosingEndsWhatGoesOverIt(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	c := dial(t, "sshtest", configured(t, "", s))
	path := socket(t, func(conn *net.UnixConn) {
		_, _ = conn.Write(make([]byte, 8<<20)) // nobody reads it
		_, _ = io.Copy(io.Discard, conn)
	})
	conn := open(t, c, path)
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = c.Close(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("Close waits for a stream that nobody reads")
	}
	if _, err := conn.Write(make([]byte, 1<<10)); err == nil {
		t.Error("writing went on")
	}
	_, err := c.DialUnix(soon(t), path)
	refused(t, err, wire.Unavailable, "closed")
	s.AwaitConnections(t, 0)
}

// The library reads a lost connection as the end of the stream, and half a file
// would pass for a whole one.
func TestALostConnectionIsNoEndOfAStream(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*faultproxy.Proxy, *sshtest.Server){
		"reset":   func(p *faultproxy.Proxy, _ *sshtest.Server) { p.Cut(faultproxy.Reset) },
		"orderly": func(p *faultproxy.Proxy, _ *sshtest.Server) { p.Cut(faultproxy.Orderly) },
		"killed":  func(_ *faultproxy.Proxy, s *sshtest.Server) { s.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			s := sshtest.Start(t, sshtest.Options{})
			o, proxy := behind(t, s)
			c := dial(t, "sshtest", o)
			conn := open(t, c, socket(t, echo))
			if _, err := conn.Write([]byte("half a file")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(conn, make([]byte, 11)); err != nil {
				t.Fatal(err)
			}
			cut(proxy, s)
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, err := conn.Read(make([]byte, 1))
			refused(t, err, wire.Unavailable, "connection was lost")
			if errors.Is(err, io.EOF) {
				t.Errorf("it passes for the end: %v", err)
			}
			<-c.Done()
			refused(t, c.Err(), wire.Unavailable, "connection was lost")
			if !wire.Retryable(c.Err()) {
				t.Error("connecting again is not worth trying")
			}
			_, err = c.DialUnix(soon(t), "/x")
			refused(t, err, wire.Unavailable, "connection was lost")
		})
	}
}

// behind puts a fault proxy before a server.
func behind(t *testing.T, s *sshtest.Server) (sshconn.Options, *faultproxy.Proxy) {
	t.Helper()
	proxy, err := faultproxy.Listen(faultproxy.To(s.Addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	_, port, _ := net.SplitHostPort(proxy.Addr())
	o := configured(t, fmt.Sprintf("Host %s\nPort %s\nHostKeyAlias known-as-%s\nUserKnownHostsFile %s", s.Name, port, s.Name, alias(t, s, "known-as-"+s.Name)), s)
	return o, proxy
}

func TestAWriteIntoAConnectionThatIsLostSaysSo(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	o, proxy := behind(t, s)
	path := socket(t, func(conn *net.UnixConn) { _, _ = io.Copy(io.Discard, conn) })
	for range 10 { // who notices first, the side that reads or the one that writes, is chance
		conn := open(t, dial(t, "sshtest", o), path)
		proxy.CutAfter(faultproxy.Up, 300_000, faultproxy.Reset)
		var err error
		for block := make([]byte, 8<<10); err == nil; {
			_, err = conn.Write(block)
		}
		refused(t, err, wire.Unavailable, "the connection was lost")
	}
}

func TestAVanishedHopIsNoticed(t *testing.T) {
	t.Parallel()
	jump, s := sshtest.Start(t, sshtest.Options{Name: "jump"}), sshtest.Start(t, sshtest.Options{})
	for name, test := range map[string]struct {
		before *sshtest.Server
		part   string
	}{"the jump host": {jump, "jump host"}, "the target behind it": {s, "via jump"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, proxy := behind(t, test.before)
			text := "Host sshtest\nProxyJump jump\n" + read(t, o.ConfigFiles[0])
			write(t, o.ConfigFiles[0], text+jump.HostConfig()+s.HostConfig())
			o.KeepAlive = 500 * time.Millisecond
			c := dial(t, "sshtest", o)
			// A short stall is nothing.
			proxy.Blackhole(t.Context(), 600*time.Millisecond)
			select {
			case <-c.Done():
				t.Fatalf("a stall ended it: %v", c.Err())
			case <-time.After(1200 * time.Millisecond):
			}
			proxy.Swallow(faultproxy.Both)
			start := time.Now()
			select {
			case <-c.Done():
			case <-time.After(10 * time.Second):
				t.Fatal("nobody noticed")
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("it took %s", took)
			}
			refused(t, c.Err(), wire.Timeout, test.part, "not answered for 1s")
			if name == "the jump host" && !strings.Contains(c.Err().Error(), "on the way to") {
				t.Errorf("it blames another: %v", c.Err())
			}
		})
	}
}
