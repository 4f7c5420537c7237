//go:build !linux

package dockertest

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// cell is never made on this system.
type cell struct{}

func newCell(context.Context, Options) (*cell, string, error) {
	return nil, "", fmt.Errorf("%w: none answers at DOCKER_HOST or at %s, and on %s none can be started; start Docker", ErrNoDaemon, DefaultHost, runtime.GOOS)
}

func (*cell) start() (down <-chan struct{}, err error) { return nil, ErrNoDaemon }
func (*cell) end(string, time.Duration) error          { return ErrNoDaemon }
func (*cell) within(func()) error                      { return ErrNoDaemon }
func (*cell) network() string                          { return "" }
func (*cell) log(int) string                           { return "" }
func (*cell) close() error                             { return nil }
