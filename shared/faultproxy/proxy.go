package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Direction is which way bytes go. Directions can be joined with |.
type Direction int

// The directions.
const (
	Up   Direction = 1 << iota // from who connected, to the target
	Down                       // from the target, to who connected
	Both = Up | Down
)

// End is how a connection is cut.
type End int

// The ends.
const (
	// Reset is what a machine that crashed or an impatient middlebox sends: both
	// sides see "connection reset by peer", and what had not arrived is lost.
	Reset End = iota
	// Orderly is what a process sends that closes its socket.
	Orderly
	// AnyEnd is one of the others, by chance.
	AnyEnd
)

// dialLimit bounds the opening of a connection's other side.
const dialLimit = 5 * time.Second

// Proxy passes connections on to a target and disturbs them on request. Its
// methods are safe for concurrent use.
type Proxy struct {
	address string
	target  func(ctx context.Context) (net.Conn, error)
	wg      sync.WaitGroup

	connections, cuts atomic.Int64
	up, down          atomic.Int64

	mu     sync.Mutex
	ln     net.Listener // nil while the proxy does not listen
	port   holder
	closed bool
	conns  map[*connection]bool
	open   map[Direction]chan struct{} // closed while bytes may pass
	shape  Shape
	fuse   fuse
	// cutting counts the calls of Cut; cutEnd is the end of the last.
	cutting int
	cutEnd  End
	// blowing is set while the connection whose bytes blew the fuse is being cut.
	blowing bool
}

// fuse is a cut that is to come.
type fuse struct {
	armed     bool
	direction Direction
	left      int64
	end       End
}

// To opens connections to a TCP address, for [Listen].
func To(address string) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", address) }
}

// Listen starts a proxy on a free loopback port. Target opens the other side of
// each connection. Close ends it.
func Listen(target func(ctx context.Context) (net.Conn, error)) (*Proxy, error) {
	return ListenOn("127.0.0.1:0", target)
}

// ListenOn is Listen on an address of the caller's choice.
func ListenOn(address string, target func(ctx context.Context) (net.Conn, error)) (*Proxy, error) {
	p := &Proxy{address: address, target: target, conns: map[*connection]bool{}, open: map[Direction]chan struct{}{}}
	for _, d := range []Direction{Up, Down} {
		p.open[d] = make(chan struct{})
		close(p.open[d])
	}
	if err := p.Return(); err != nil {
		return nil, err
	}
	p.address = p.ln.Addr().String()
	var err error
	if p.port, err = hold(p.ln); err != nil {
		return nil, errors.Join(p.Close(), fmt.Errorf("fault proxy: hold the port: %w", err))
	}
	return p, nil
}

// Addr is where the proxy listens, as host:port. It never changes.
func (p *Proxy) Addr() string { return p.address }

// Stats counts what a proxy has done.
type Stats struct {
	Connections int   // accepted so far
	Open        int   // of those, open now
	Cuts        int   // connections that the proxy cut
	Up, Down    int64 // bytes passed on
}

// Stats tells what passed so far.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Connections: int(p.connections.Load()), Open: len(p.conns), Cuts: int(p.cuts.Load()),
		Up: p.up.Load(), Down: p.down.Load(),
	}
}

// Leave stops listening, as a server that is not there: who connects is refused.
// Connections that are open stay so; see [Proxy.Cut].
func (p *Proxy) Leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		_ = p.ln.Close() // it only stops accepting
		p.ln = nil
	}
}

// Return listens again, on the same port. It does nothing when the proxy
// listens already.
func (p *Proxy) Return() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil || p.closed {
		return nil
	}
	listen := net.ListenConfig{Control: shared}
	ln, err := listen.Listen(context.Background(), "tcp", p.address) // loopback listeners do not wait
	if err != nil {
		return err
	}
	p.ln = ln
	p.wg.Go(func() { p.accept(ln) })
	return nil
}

func (p *Proxy) accept(ln net.Listener) {
	for {
		near, err := ln.Accept()
		if err != nil {
			return // Leave or Close
		}
		p.connections.Add(1)
		p.mu.Lock()
		cuts := p.cutting
		p.mu.Unlock()
		p.wg.Go(func() { p.serve(near, cuts) })
	}
}

func (p *Proxy) serve(near net.Conn, cuts int) {
	ctx, cancel := context.WithTimeout(context.Background(), dialLimit)
	far, err := p.target(ctx)
	cancel()
	if err != nil {
		_ = near.Close() // a target that is not there looks like one that hangs up
		return
	}
	c := &connection{proxy: p, near: near, far: far, done: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		c.finish(Orderly)
		return
	}
	if p.cutting != cuts { // while the other side was being opened
		end := p.cutEnd
		p.mu.Unlock()
		c.cut(end)
		return
	}
	p.conns[c] = true
	p.mu.Unlock()
	c.run()
}

// Close ends the proxy and all its connections, and waits for its goroutines.
// It is idempotent.
func (p *Proxy) Close() error {
	p.Leave()
	p.mu.Lock()
	p.closed = true
	p.port.close()
	conns := make([]*connection, 0, len(p.conns))
	for c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	for _, c := range conns {
		c.finish(Orderly)
	}
	p.wg.Wait()
	return nil
}
