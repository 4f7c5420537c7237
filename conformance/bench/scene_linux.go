package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
)

// scene lets what is made for tests be used here: it is a [testing.TB] outside of any
// test, of which what starts servers needs no more than this.
type scene struct {
	testing.TB
	ctx      context.Context
	cleanups []func()
	failure  error
}

// onStage calls f with a scene, and cleans up after it.
func onStage(ctx context.Context, f func(*scene) error) error {
	s := &scene{ctx: ctx}
	ended := make(chan error, 1)
	go func() { // whose end is that of Fatal
		var err error
		defer func() {
			for _, clean := range slices.Backward(s.cleanups) {
				clean()
			}
			if s.failure != nil {
				err = s.failure
			}
			ended <- err
		}()
		err = f(s)
	}()
	return <-ended
}

func (s *scene) Helper()                        {}
func (s *scene) Context() context.Context       { return s.ctx }
func (s *scene) Cleanup(f func())               { s.cleanups = append(s.cleanups, f) }
func (s *scene) Failed() bool                   { return s.failure != nil }
func (s *scene) Logf(string, ...any)            {}
func (s *scene) Errorf(format string, a ...any) { s.failure = fmt.Errorf(format, a...) }
func (s *scene) Fatal(a ...any)                 { s.Fatalf("%s", fmt.Sprint(a...)) }
func (s *scene) Fatalf(format string, a ...any) { s.Errorf(format, a...); runtime.Goexit() }

// listenEcho accepts connections and sends back what comes.
func listenEcho() (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a loopback listener is there at once
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // it is closed
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn) // ends with the connection
			}()
		}
	}()
	return ln, nil
}
