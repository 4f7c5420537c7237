package main

import (
	"errors"
	"net"
	"sync"
)

// joined accepts what either of two listeners accepts. Its address is that of the
// first.
type joined struct {
	net.Listener
	second   net.Listener
	accepted chan accepted
	closed   chan struct{}
	close    sync.Once
}

type accepted struct {
	conn net.Conn
	err  error
}

// together makes one listener of two. Close closes both.
func together(first, second net.Listener) net.Listener {
	j := &joined{Listener: first, second: second, accepted: make(chan accepted), closed: make(chan struct{})}
	for _, ln := range []net.Listener{first, second} {
		go func() {
			for {
				conn, err := ln.Accept()
				select {
				case j.accepted <- accepted{conn, err}:
				case <-j.closed:
					if conn != nil {
						_ = conn.Close() // nobody will have it
					}
				}
				if errors.Is(err, net.ErrClosed) {
					return
				}
			}
		}()
	}
	return j
}

// Accept implements net.Listener.
func (j *joined) Accept() (net.Conn, error) {
	select {
	case a := <-j.accepted:
		return a.conn, a.err
	case <-j.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (j *joined) Close() (err error) {
	j.close.Do(func() {
		close(j.closed)
		err = errors.Join(j.Listener.Close(), j.second.Close())
	})
	return err
}
