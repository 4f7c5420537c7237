package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// opener opens a plain connection to a daemon.
type opener func(context.Context) (net.Conn, error)

// dialLimit bounds one connection attempt.
const dialLimit = 15 * time.Second

// dialError is the failure to open a connection: nothing was sent. Its text
// is a constant: the client library drops causes whose text it thinks it knows.
type dialError struct{ cause error }

func (*dialError) Error() string   { return "no connection to the daemon" }
func (e *dialError) Unwrap() error { return e.cause }

func dialer(network, address string) opener {
	return func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// dial opens a connection to the daemon, TLS included. Every error but that of
// ctx is a *dialError.
func (p *place) dial(ctx context.Context) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := p.open(limited)
	if err == nil && p.tls != nil {
		raw := conn
		secured := tls.Client(raw, p.tls)
		conn = secured
		if err = secured.HandshakeContext(limited); err != nil {
			raw.Close()
		}
	}
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, &dialError{err}
}

// withDeadlines gives conn deadlines when it has none, as channels of SSH: one
// that passes closes the connection.
func withDeadlines(conn net.Conn) net.Conn {
	if conn.SetDeadline(time.Time{}) == nil {
		return conn
	}
	return &timedConn{Conn: conn}
}

type timedConn struct {
	net.Conn
	read, write deadline
}

// deadline closes a connection when its time comes.
type deadline struct {
	timer  atomic.Pointer[time.Timer]
	passed atomic.Bool
}

func (d *deadline) set(t time.Time, conn net.Conn) {
	var next *time.Timer
	if !t.IsZero() {
		next = time.AfterFunc(time.Until(t), func() {
			d.passed.Store(true)
			conn.Close()
		})
	}
	if old := d.timer.Swap(next); old != nil {
		old.Stop()
	}
}

func (d *deadline) explain(err error) error {
	if err != nil && d.passed.Load() {
		return os.ErrDeadlineExceeded
	}
	return err
}

func (c *timedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.read.explain(err)
}

func (c *timedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.write.explain(err)
}

func (c *timedConn) Close() error {
	c.read.set(time.Time{}, nil)
	c.write.set(time.Time{}, nil)
	return c.Conn.Close()
}

func (c *timedConn) CloseWrite() error { return closeWrite(c.Conn) }

func (c *timedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *timedConn) SetReadDeadline(t time.Time) error {
	c.read.set(t, c.Conn)
	return nil
}

func (c *timedConn) SetWriteDeadline(t time.Time) error {
	c.write.set(t, c.Conn)
	return nil
}

// closeWrite ends one direction of conn.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
