package faultproxy

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	chunkBytes = 32 << 10
	// queued is how many chunks may be under way in one direction, waiting for
	// their latency or for a hold to end.
	queued = 64
)

// connection is one connection to the proxy and the one it is passed on to.
type connection struct {
	proxy     *Proxy
	near, far net.Conn
	swallow   atomic.Int32 // the directions whose bytes vanish
	once      sync.Once
	done      chan struct{} // closed when it is over
}

// chunk is what was read at once.
type chunk struct {
	data []byte
	due  time.Time // when it may be passed on
}

// run passes bytes on until the connection is over.
func (c *connection) run() {
	var pumps sync.WaitGroup
	pumps.Go(func() { c.pump(Up, c.near, c.far) })
	pumps.Go(func() { c.pump(Down, c.far, c.near) })
	pumps.Wait()
	c.finish(Orderly)
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	delete(c.proxy.conns, c)
}

// finish closes both sides.
func (c *connection) finish(end End) {
	c.once.Do(func() {
		close(c.done)
		for _, conn := range []net.Conn{c.near, c.far} {
			if tcp, ok := conn.(*net.TCPConn); ok && (end == Reset || end == AnyEnd && rand.IntN(2) == 0) {
				_ = tcp.SetLinger(0) // nothing is sent any more, not even what waits
			}
			_ = conn.Close()
		}
	})
}

// pump carries one direction. An orderly end of one side is passed on after
// everything that came before it; a reset ends both at once.
func (c *connection) pump(d Direction, from, to net.Conn) {
	chunks := make(chan chunk, queued)
	var (
		reading sync.WaitGroup
		readErr error
	)
	reading.Go(func() {
		defer close(chunks)
		readErr = c.read(d, from, chunks)
		if !errors.Is(readErr, io.EOF) {
			c.finish(Reset)
		}
	})
	defer reading.Wait()
	for next := range chunks {
		if !c.pass(d, to, next) {
			c.finish(Reset)
			return
		}
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it may have gone before
	}
}

func (c *connection) read(d Direction, from net.Conn, chunks chan<- chunk) error {
	for {
		buf := make([]byte, chunkBytes)
		n, err := from.Read(buf)
		if n > 0 && c.swallow.Load()&int32(d) == 0 {
			select {
			case chunks <- chunk{buf[:n], time.Now().Add(c.proxy.delay())}:
			case <-c.done:
				return net.ErrClosed
			}
		}
		if err != nil {
			return err
		}
	}
}

// pass passes a chunk on when its time has come; false when the connection is
// over.
func (c *connection) pass(d Direction, to net.Conn, next chunk) bool {
	if !c.rest(time.Until(next.due)) || !c.allowed(d) {
		return false
	}
	if c.swallow.Load()&int32(d) != 0 {
		return true
	}
	n, blown, end := c.proxy.burn(d, int64(len(next.data)))
	data := next.data[:n]
	for len(data) > 0 {
		part := data
		rate := c.proxy.rate()
		if rate > 0 {
			part = data[:min(len(data), max(1, rate/50))] // fifty steps a second
		}
		if _, err := to.Write(part); err != nil {
			if blown {
				c.proxy.fizzle()
			}
			return false
		}
		c.proxy.counter(d).Add(int64(len(part)))
		data = data[len(part):]
		if rate > 0 && !c.rest(time.Duration(len(part))*time.Second/time.Duration(rate)) {
			if blown {
				c.proxy.fizzle()
			}
			return false
		}
	}
	if blown {
		c.proxy.blow(c, end)
		return false
	}
	return true
}

func (c *connection) cut(end End) {
	c.proxy.cuts.Add(1)
	c.finish(end)
}

// rest waits; false when the connection is over before.
func (c *connection) rest(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.done:
		return false
	}
}

// allowed waits until the direction is not held; false when the connection is
// over before.
func (c *connection) allowed(d Direction) bool {
	for {
		c.proxy.mu.Lock()
		gate := c.proxy.open[d]
		c.proxy.mu.Unlock()
		select {
		case <-gate:
			return true
		case <-c.done:
			return false
		}
	}
}
