package sshconn

import (
	"context"
	"crypto/ed25519"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// line is one direction of a connection that can stall.
type line struct {
	chunks chan []byte
	rest   []byte
	gate   chan chan struct{} // holds the gate; a closed one is open
	closed chan struct{}
}

// end is one end of a connection without a network.
type end struct {
	net.Conn // for its addresses
	in, out  *line
}

func newLine() *line {
	l := &line{chunks: make(chan []byte, 1<<10), gate: make(chan chan struct{}, 1), closed: make(chan struct{})}
	open := make(chan struct{})
	close(open)
	l.gate <- open
	return l
}

func (l *line) hold() (release func()) {
	<-l.gate
	gate := make(chan struct{})
	l.gate <- gate
	return func() { close(gate) }
}

func (l *line) Close() {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
}

func (e end) Read(p []byte) (int, error) {
	if len(e.in.rest) == 0 {
		select {
		case e.in.rest = <-e.in.chunks:
		case <-e.in.closed:
			return 0, io.EOF
		}
		gate := <-e.in.gate
		e.in.gate <- gate
		select {
		case <-gate:
		case <-e.in.closed:
			return 0, io.EOF
		}
	}
	n := copy(p, e.in.rest)
	e.in.rest = e.in.rest[n:]
	return n, nil
}

func (e end) Write(p []byte) (int, error) {
	select {
	case e.out.chunks <- append([]byte(nil), p...):
		return len(p), nil
	case <-e.out.closed:
		return 0, net.ErrClosed
	}
}

func (e end) Close() error {
	e.in.Close()
	e.out.Close()
	return nil
}

// idle is a connection to a server without a network. Its answers pass over down.
func idle(t *testing.T) (c *Client, down *line) {
	t.Helper()
	up, down := newLine(), newLine()
	near, far := end{&net.TCPConn{}, down, up}, end{&net.TCPConn{}, up, down}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(key)
	go func() {
		_, channels, requests, err := ssh.NewServerConn(far, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for channel := range channels {
			_ = channel.Reject(ssh.Prohibited, "")
		}
	}()
	h := &hop{host: &host{alias: "host", name: "host", user: "user", port: 22, keepAlive: defaultKeepAlive}, conn: watch(near), key: key.PublicKey()}
	conn, channels, requests, err := ssh.NewClientConn(h.conn, "host:22", &ssh.ClientConfig{User: "user", HostKeyCallback: ssh.FixedHostKey(key.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	h.client = ssh.NewClient(conn, channels, requests)
	c = &Client{hosts: []*host{h.host}, hops: []*hop{h}, done: make(chan struct{}), base: near}
	c.life, c.end = context.WithCancel(context.Background())
	c.supervise()
	return c, down
}

func TestAStallOf39SecondsIsSurvived(t *testing.T) {
	for before := range 21 { // seconds between the last question and the stall
		synctest.Test(t, func(t *testing.T) {
			c, down := idle(t)
			time.Sleep(defaultKeepAlive + time.Duration(before)*time.Second)
			release := down.hold()
			time.Sleep(39 * time.Second)
			release()
			time.Sleep(10 * time.Minute)
			if err := c.Err(); err != nil {
				t.Errorf("a stall %d seconds after a question ended it: %v", before, err)
			}
			_ = c.Close()
		})
	}
}

func TestAPeerThatVanishedIsNoticedWithinAMinute(t *testing.T) {
	for before := range 21 {
		synctest.Test(t, func(t *testing.T) {
			c, down := idle(t)
			time.Sleep(defaultKeepAlive + time.Duration(before)*time.Second)
			down.hold()
			start := time.Now()
			<-c.Done()
			if took := time.Since(start); took < 39*time.Second || took > time.Minute {
				t.Errorf("%d seconds after a question it took %s", before, took)
			}
			if err := c.Err(); wire.CodeOf(err) != wire.Timeout || !wire.Retryable(err) || !strings.Contains(err.Error(), "user@host:22: the host has not answered for 40s") {
				t.Errorf("the error is %v", err)
			}
			_ = c.Close()
			_ = c.Close()
		})
	}
}
