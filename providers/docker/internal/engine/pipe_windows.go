package engine

import (
	"context"
	"net"

	"github.com/Microsoft/go-winio"
)

func pipeDialer(path string) opener {
	return func(ctx context.Context) (net.Conn, error) { return winio.DialPipeContext(ctx, path) }
}
