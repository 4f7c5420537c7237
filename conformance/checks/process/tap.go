package process

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// tap stands between a provider and the emulated server, which is a server that
// can be away, hang up and stop reading, and notes every attempt to connect.
type tap struct {
	t      *suite.T
	port   int
	server string // the emulated server's address

	mu       sync.Mutex
	listener net.Listener
	dropping bool
	attempts []attempt
	passages map[*passage]bool
	hangUpAt []byte        // the end of the frame to the provider after which it is hung up on
	flows    chan struct{} // closed while what the provider says is read
}

// attempt is one connection the provider made.
type attempt struct {
	at      time.Time
	request *http.Request // nil when it was not read
	head    string        // as it came
}

// passage is a connection that is passed on.
type passage struct{ near, far *net.TCPConn }

// newTap makes a tap that passes everything on. Its end comes with that of the
// check, after its environments have been closed.
func newTap(t *suite.T) *tap {
	p := &tap{t: t, server: t.Server().Addr(), passages: map[*passage]bool{}, flows: make(chan struct{})}
	close(p.flows)
	t.Eventually(10*time.Second, "a port could be had", func() bool {
		// Below what systems give to outgoing connections, so that the port stays
		// free while nobody listens.
		p.port = 10_000 + rand.IntN(20_000)
		return p.present()
	})
	context.AfterFunc(t.Context(), func() {
		p.absent()
		p.cut()
	})
	return p
}

// env makes a process dial the tap.
func (p *tap) env() []string {
	return []string{"CODEBOLT_SERVER_URL=127.0.0.1", fmt.Sprintf("SOCKET_PORT=%d", p.port)}
}

// again ends an absence.
func (p *tap) again() {
	p.t.Eventually(10*time.Second, "the port could be had again", p.present)
}

// present begins to listen, unless the port is taken.
func (p *tap) present() bool {
	listener, err := (&net.ListenConfig{}).Listen(p.t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
	if err != nil {
		return false
	}
	p.mu.Lock()
	p.listener = listener
	p.mu.Unlock()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(near.(*net.TCPConn))
		}
	}()
	return true
}

// absent ends the listening: to connect is refused by the system.
func (p *tap) absent() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close() // again, maybe
}

// drop makes the tap close every further connection at once, or not.
func (p *tap) drop(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropping = yes
}

// cut closes all connections.
func (p *tap) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.passages {
		_ = c.near.Close()
		_ = c.far.Close()
	}
}

// hangUpAfter makes the tap end the connection in good order when a frame to the
// provider has passed that ends so, and drop further ones. What the provider
// said before it noticed still arrives.
func (p *tap) hangUpAfter(end string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangUpAt = []byte(end)
}

// stall ends the reading of what the provider says until the check ends.
func (p *tap) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flows = make(chan struct{})
}

// seen returns the attempts so far.
func (p *tap) seen() []attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]attempt(nil), p.attempts...)
}

// requests returns the attempts whose request was read.
func (p *tap) requests() []attempt {
	var read []attempt
	for _, a := range p.seen() {
		if a.request != nil {
			read = append(read, a)
		}
	}
	return read
}

// gaps returns the times between the attempts so far.
func (p *tap) gaps() []time.Duration {
	all := p.seen()
	var gaps []time.Duration
	for i := 1; i < len(all); i++ {
		gaps = append(gaps, all[i].at.Sub(all[i-1].at))
	}
	return gaps
}

func (p *tap) serve(near *net.TCPConn) {
	defer func() { _ = near.Close() }()
	p.mu.Lock()
	n := len(p.attempts)
	p.attempts = append(p.attempts, attempt{at: time.Now()})
	dropping := p.dropping
	p.mu.Unlock()
	if dropping {
		return
	}
	var begin bytes.Buffer
	request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(near, &begin)))
	if err != nil {
		return
	}
	head, _, _ := strings.Cut(begin.String(), "\r\n\r\n")
	p.mu.Lock()
	p.attempts[n].request, p.attempts[n].head = request, head
	p.mu.Unlock()
	far, err := (&net.Dialer{}).DialContext(p.t.Context(), "tcp", p.server)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	c := &passage{near, far.(*net.TCPConn)}
	// Before the server hears of it: whoever sees a connection there can cut it.
	p.mu.Lock()
	p.passages[c] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.passages, c)
	}()
	if _, err := far.Write(begin.Bytes()); err != nil {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { p.down(c) })
	ways.Go(func() { p.up(c) })
	ways.Wait()
}

// down passes on what the server says.
func (p *tap) down(c *passage) {
	buf := make([]byte, 64<<10)
	var last []byte
	for {
		n, err := c.far.Read(buf)
		if _, fails := c.near.Write(buf[:n]); err == nil {
			err = fails
		}
		if err != nil {
			_ = c.near.Close()
			_ = c.far.Close()
			return
		}
		p.mu.Lock()
		end := p.hangUpAt
		over := false
		if len(end) > 0 {
			last = append(last, buf[:n]...)
			over = bytes.Contains(last, end)
			last = bytes.Clone(last[max(0, len(last)-len(end)):])
		}
		if over {
			p.hangUpAt, p.dropping = nil, true
		}
		p.mu.Unlock()
		if over {
			_ = c.near.CloseWrite()
			return
		}
	}
}

// up passes on what the provider says.
func (p *tap) up(c *passage) {
	buf := make([]byte, 64<<10)
	for {
		p.mu.Lock()
		flows := p.flows
		p.mu.Unlock()
		select {
		case <-flows:
		case <-p.t.Context().Done():
		}
		n, err := c.near.Read(buf)
		if _, fails := c.far.Write(buf[:n]); err == nil {
			err = fails
		}
		if err != nil {
			_ = c.near.Close()
			_ = c.far.Close()
			return
		}
	}
}
