//go:build !windows

package engine

import (
	"context"
	"net"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func pipeDialer(path string) opener {
	return func(context.Context) (net.Conn, error) {
		return nil, wire.Errorf(wire.Unsupported, "%s is a named pipe of Windows; use a unix, tcp or ssh host", path)
	}
}
