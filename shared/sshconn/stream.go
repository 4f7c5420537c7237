package sshconn

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// sendLimit is how long Close waits for what was written before.
const sendLimit = time.Second

// stream is a channel as a net.Conn that keeps its promises. The library's has
// no deadlines, and reads io.EOF from a connection that was lost.
type stream struct {
	channel net.Conn
	in, out net.Conn // the near ends of two pipes
	sent    chan struct{}
	end     atomic.Pointer[error]
}

// stream wraps a channel. Two goroutines carry its bytes until it is closed, or
// c is.
func (c *Client) stream(channel net.Conn) (net.Conn, error) {
	in, inFar := net.Pipe()
	out, outFar := net.Pipe()
	s := &stream{channel: channel, in: in, out: out, sent: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ended(); err != nil {
		_ = channel.Close()
		return nil, err
	}
	forget := context.AfterFunc(c.life, func() { _, _ = inFar.Close(), outFar.Close() })
	c.work.Go(func() {
		defer inFar.Close()
		_, err := io.Copy(inFar, channel)
		if errors.Is(err, io.ErrClosedPipe) {
			return // closed on this side
		}
		if err == nil {
			err = c.Err()
		}
		if err != nil {
			s.end.CompareAndSwap(nil, &err)
			_ = outFar.Close()
		}
	})
	c.work.Go(func() {
		defer forget()
		defer outFar.Close()
		defer close(s.sent)
		_, err := io.Copy(channel, outFar)
		if half, ok := channel.(interface{ CloseWrite() error }); ok && err == nil {
			_ = half.CloseWrite() // the channel may have ended
		}
		if lost := c.Err(); err != nil && lost != nil && !errors.Is(err, io.ErrClosedPipe) {
			s.end.CompareAndSwap(nil, &lost)
		}
	})
	return s, nil
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	switch {
	case errors.Is(err, io.ErrClosedPipe):
		err = net.ErrClosed
	case errors.Is(err, io.EOF):
		if end := s.end.Load(); end != nil {
			err = *end
		}
	}
	return n, err
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.out.Write(p)
	if errors.Is(err, io.ErrClosedPipe) {
		err = net.ErrClosed
		if end := s.end.Load(); end != nil {
			err = *end
		}
	}
	return n, err
}

// CloseWrite tells the far side that nothing more comes; reading goes on.
func (s *stream) CloseWrite() error { return s.out.Close() }

// Close ends the stream in both directions. What was written before is sent
// first, if the host takes it within a second.
func (s *stream) Close() error {
	_, _ = s.out.Close(), s.in.Close()
	timer := time.NewTimer(sendLimit)
	defer timer.Stop()
	select {
	case <-s.sent:
	case <-timer.C:
	}
	err := s.channel.Close()
	if errors.Is(err, io.EOF) {
		return nil // it had ended
	}
	return err
}

func (s *stream) LocalAddr() net.Addr  { return s.channel.LocalAddr() }
func (s *stream) RemoteAddr() net.Addr { return s.channel.RemoteAddr() }

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.in.SetReadDeadline(t), s.out.SetWriteDeadline(t))
}

func (s *stream) SetReadDeadline(t time.Time) error  { return s.in.SetReadDeadline(t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.out.SetWriteDeadline(t) }
