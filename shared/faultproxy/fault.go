package faultproxy

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Shape is how slow a line is.
type Shape struct {
	Latency time.Duration // one way
	Jitter  time.Duration // up to so much more, by chance; order is kept
	Rate    int           // bytes a second, each way; 0 is as fast as it goes
}

// Shape makes all connections, those to come too, as slow as that. The zero
// value makes them fast again.
func (p *Proxy) Shape(s Shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shape = s
}

func (p *Proxy) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.shape.Latency
	if p.shape.Jitter > 0 {
		d += rand.N(p.shape.Jitter)
	}
	return d
}

func (p *Proxy) rate() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shape.Rate
}

func (p *Proxy) counter(d Direction) *atomic.Int64 {
	if d == Up {
		return &p.up
	}
	return &p.down
}

// Cut cuts all connections now.
func (p *Proxy) Cut(end End) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutting, p.cutEnd = p.cutting+1, end
	for c := range p.conns {
		c.cut(end)
		delete(p.conns, c)
	}
}

// CutAfter cuts the connection over which the next n bytes in the direction have
// passed, of all connections together: in the middle of a message, as it
// happens. n is at least 1. It takes the place of an earlier one that has not
// happened; see [Proxy.Armed].
func (p *Proxy) CutAfter(d Direction, n int64, end End) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fuse = fuse{armed: true, direction: d, left: n, end: end}
}

// Armed reports whether a CutAfter has yet to happen.
func (p *Proxy) Armed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fuse.armed || p.blowing
}

// burn says how many of n bytes may pass, and whether the fuse blows then.
func (p *Proxy) burn(d Direction, n int64) (passing int64, blown bool, end End) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fuse.armed || p.fuse.direction&d == 0 {
		return n, false, 0
	}
	if n < p.fuse.left {
		p.fuse.left -= n
		return n, false, 0
	}
	p.fuse.armed, p.blowing = false, true
	return p.fuse.left, true, p.fuse.end
}

// blow cuts the connection as burn said. Who sees the cut sees that the fuse is
// not armed any more.
func (p *Proxy) blow(c *connection, end End) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blowing = false
	c.cut(end)
	delete(p.conns, c)
}

// fizzle is for where there was nothing to cut, because the connection had just
// ended: the next byte on another one is what cuts.
func (p *Proxy) fizzle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blowing = false
	if !p.fuse.armed {
		p.fuse.armed, p.fuse.left = true, 1
	}
}

// Hold lets no byte pass in the direction, on connections to come neither, until
// Release. Nothing is lost: who sends finds, once what lies between is full, a
// peer that does not read.
func (p *Proxy) Hold(d Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range []Direction{Up, Down} {
		if d&one == 0 {
			continue
		}
		select {
		case <-p.open[one]:
			p.open[one] = make(chan struct{})
		default:
		}
	}
}

// Release ends Hold.
func (p *Proxy) Release(d Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range []Direction{Up, Down} {
		if d&one == 0 {
			continue
		}
		select {
		case <-p.open[one]:
		default:
			close(p.open[one])
		}
	}
}

// Blackhole holds both directions for the duration, or until ctx ends.
func (p *Proxy) Blackhole(ctx context.Context, d time.Duration) {
	p.Hold(Both)
	defer p.Release(Both)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Swallow loses everything that is sent in the direction from now on over the
// connections that are open now. They stay open, half-open as one says of a peer
// that vanished without a goodbye; later ones are whole.
func (p *Proxy) Swallow(d Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.swallow.Store(c.swallow.Load() | int32(d))
	}
}

// Heal takes back whatever lasts: a shape, a hold, a cut that is to come, an
// absence. Connections that are cut or half-open stay as they are.
func (p *Proxy) Heal() error {
	p.Shape(Shape{})
	p.Release(Both)
	p.mu.Lock()
	p.fuse = fuse{}
	p.mu.Unlock()
	return p.Return()
}
